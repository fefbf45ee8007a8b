/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an evacuation has to know of this host's guests: all of them are asked at once, in three rounds. The first has
 * QEMU begin to count pages that change; the second asks all else meanwhile; the third reads the count. A guest that
 * does not answer holds up nobody but itself. Workers. */

#include "daemon/virt/check.h"
#include "daemon/virt/compat-read.h"
#include "daemon/virt/patience.h"
#include "shared/enums.h"
#include "shared/error.h"

#define THREADS_MAX     8
#define SAMPLE_SECONDS  1
#define AGAIN_USEC      (G_USEC_PER_SEC / 10)   /* between looks at a count that is not ready */
#define LATE_USEC       (2 * G_USEC_PER_SEC)    /* QEMU's second may be a long one */
#define MIB             (UINT64_C(1) << 20)
#define SAMPLED_MIN     (128 * MIB)             /* QEMU leaves smaller blocks of memory out, and counts 0 */

void vsm_guest_facts_free(VsmGuestFacts *facts) {
        if (!facts)
                return;

        g_free(facts->name);
        vsm_compat_free(facts->compat);
        g_clear_pointer(&facts->policy, g_variant_unref);
        g_clear_pointer(&facts->reasons, g_variant_unref);
        g_free(facts);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmGuestFacts, vsm_guest_facts_free)

/* What is asked about one guest in a thread of its own, which may outlast who asks. */
typedef struct Ask {
        VsmVirt *virt;
        virDomainPtr domain;
        char uuid[VSM_UUID_SIZE];
        int64_t deadline;
        VsmCancel *cancel;
} Ask;

static void ask_free(void *userdata) {
        Ask *ask = userdata;

        virDomainFree(ask->domain);
        vsm_cancel_unref(ask->cancel);
        g_free(ask);
}

/* ---- the rate at which it changes its memory ---- */

/* Only the sampling of pages: QEMU's other ways have KVM log all of them, which slows the guest and may not run beside
 * a migration. */
static void* start_thread(void *input, GError **error) {
        Ask *ask = input;
        bool job;

        if (!vsm_side_has_job(ask->domain, &job, error))
                return NULL;

        if (job) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_IN_USE, "libvirt is running a job of it");
                return NULL;
        }

        if (virDomainStartDirtyRateCalc(ask->domain, SAMPLE_SECONDS, VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING) < 0) {
                vsm_virt_error(error, "libvirt does not count the pages that it changes");
                return NULL;
        }

        return ask;
}

/* Bytes per second, on the heap; NULL when it is not ready. */
static void* read_thread(void *input, GError **error) {
        Ask *ask = input;
        virDomainPtr domains[] = { ask->domain, NULL };
        virDomainStatsRecordPtr *records = NULL;
        long long rate = -1;
        int status = 0, n;

        /* without waiting for a job that began meanwhile: then there is no number */
        n = virDomainListGetStats(domains, VIR_DOMAIN_STATS_DIRTYRATE, &records,
                                  VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
        if (n < 0) {
                vsm_virt_error(error, "libvirt does not tell how many pages it changed");
                return NULL;
        }

        if (n > 0) {
                (void) virTypedParamsGetInt(records[0]->params, records[0]->nparams, "dirtyrate.calc_status", &status);
                (void) virTypedParamsGetLLong(records[0]->params, records[0]->nparams, "dirtyrate.megabytes_per_second",
                                              &rate);
        }
        virDomainStatsRecordListFree(records);

        if (status != VIR_DOMAIN_DIRTYRATE_MEASURED || rate < 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "It is not counted yet");
                return NULL;
        }

        return g_memdup2(&(uint64_t) { (uint64_t) rate * MIB }, sizeof(uint64_t));
}

/* ---- everything else ---- */

typedef struct Rest {
        uint64_t resident;
        uint64_t page_size;
        VsmCompat *compat;
        GVariant *reasons;
} Rest;

static void rest_free(void *userdata) {
        Rest *rest = userdata;

        vsm_compat_free(rest->compat);
        g_variant_unref(rest->reasons);
        g_free(rest);
}

/* What QEMU has of the host's memory is the most that was ever touched of the guest's, and some more for QEMU itself;
 * what the balloon took is not in it. Huge pages are not in it either: of those nothing less than all is known. What
 * the host has swapped out is missing; libvirt does not tell it. */
static uint64_t read_resident(virDomainPtr domain, const VsmNeeds *needs) {
        virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
        uint64_t memory = (uint64_t) virDomainGetMaxMemory(domain) * 1024, resident = memory;
        int n = virDomainMemoryStats(domain, stats, G_N_ELEMENTS(stats), 0);
        bool huge = vsm_needs_has(needs, VSM_NEED_HUGE_PAGES);

        for (int i = 0; i < n; i++)
                if ((stats[i].tag == VIR_DOMAIN_MEMORY_STAT_RSS && !huge) ||
                    stats[i].tag == VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
                        resident = MIN(resident, stats[i].val * 1024);

        return resident;
}

/* A move of the kind that an evacuation makes: live, to anywhere, without disks of its own. */
static VsmCheck* check_new(const char *uuid) {
        VsmDestination anywhere = {
                .host = (char*) "",
                .authentication = VSM_AUTHENTICATION_NONE,
                .transport = VSM_TRANSPORT_TCP,
        };
        VsmMoveOptions options = {
                .destination = &anywhere,
                .type = VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM,
        };

        g_strlcpy(options.uuid, uuid, sizeof options.uuid);
        return vsm_check_new(&options);
}

static void* rest_thread(void *input, GError **error) {
        Ask *ask = input;
        g_autoptr(VsmCheck) check = check_new(ask->uuid);
        const VsmNeed *pages;
        Rest *rest;

        if (!vsm_check_open_source(check, ask->virt, error))
                return NULL;

        vsm_check_ask_source(check, ask->deadline, ask->cancel);
        if (virDomainIsActive(check->domain) <= 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "It has ended meanwhile");
                return NULL;
        }

        rest = g_new0(Rest, 1);
        pages = vsm_needs_next(check->needs, VSM_NEED_HUGE_PAGES, NULL);
        rest->page_size = pages ? (uint64_t) vsm_needs_page_size(check->needs, pages) * 1024 : 0;
        rest->resident = read_resident(check->domain, check->needs);
        rest->compat = vsm_compat_read_system(check->source, check->domain, NULL);
        rest->reasons = vsm_reasons_to_variant(check->reasons);
        return rest;
}

/* ---- all guests ---- */

typedef struct Guest {
        VsmGuestFacts *facts;
        virDomainPtr domain;
        int64_t counting;               /* since then; 0 = not */
        bool silent;                    /* did not answer in time: it is not asked again */
        bool gone;
} Guest;

static void guest_free(void *userdata) {
        Guest *guest = userdata;

        vsm_guest_facts_free(guest->facts);
        virDomainFree(guest->domain);
        g_free(guest);
}

typedef struct Round {
        VsmVirt *virt;
        GPtrArray *guests;
        int64_t deadline;
        VsmCancel *cancel;
        void (*func)(struct Round *round, Guest *guest);
        gint next;
} Round;

static void* ask(Round *round, Guest *guest, VsmPatienceFunc func, GDestroyNotify result_free, GError **error) {
        Ask *ask = g_new0(Ask, 1);
        void *result;
        g_autoptr(GError) local = NULL;

        ask->virt = round->virt;
        ask->domain = guest->domain;
        (void) virDomainRef(ask->domain);
        ask->deadline = round->deadline;
        ask->cancel = round->cancel ? vsm_cancel_ref(round->cancel) : NULL;
        g_strlcpy(ask->uuid, guest->facts->uuid, sizeof ask->uuid);

        result = vsm_patience_run(&(VsmPatience) {
                                          .what = "libvirt here",
                                          .host = guest->facts->uuid,
                                          .func = func,
                                          .input = ask,
                                          .input_free = ask_free,
                                          .result_free = result_free,
                                  }, round->deadline, round->cancel, &local);
        if (!result) {
                guest->silent = local->code == VSM_ERROR_TIMEOUT || local->code == VSM_ERROR_LIMITS_EXCEEDED;
                g_propagate_error(error, g_steal_pointer(&local));
        }

        return result;
}

static void start_one(Round *round, Guest *guest) {
        /* nothing changes the memory of one that is paused, or asleep */
        if (guest->facts->paused || guest->facts->asleep)
                guest->facts->dirty_rate_known = true;
        else if (guest->facts->memory >= SAMPLED_MIN && ask(round, guest, start_thread, NULL, NULL))
                guest->counting = g_get_monotonic_time();
}

static void read_one(Round *round, Guest *guest) {
        int64_t ready = guest->counting + SAMPLE_SECONDS * G_USEC_PER_SEC;
        int64_t until = MIN(ready + LATE_USEC, round->deadline);

        if (guest->counting == 0)
                return;

        for (int64_t next = ready; ; next = g_get_monotonic_time() + AGAIN_USEC) {
                g_autofree uint64_t *rate = NULL;

                if (next > until || !vsm_wait_sleep((uint64_t) MAX(next - g_get_monotonic_time(), 0), round->cancel))
                        return;

                rate = ask(round, guest, read_thread, g_free, NULL);
                if (rate) {
                        guest->facts->dirty_rate = *rate;
                        guest->facts->dirty_rate_known = true;
                }
                if (rate || guest->silent)
                        return;
        }
}

static void not_told(VsmGuestFacts *facts, const char *text) {
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();

        vsm_reasons_add(reasons, "not-verifiable", facts->name, text, "what the system needs of a host", NULL);
        g_variant_unref(facts->reasons);
        facts->reasons = vsm_reasons_to_variant(reasons);
}

static void rest_one(Round *round, Guest *guest) {
        VsmGuestFacts *facts = guest->facts;
        g_autoptr(GError) error = NULL;
        Rest *rest;

        rest = ask(round, guest, rest_thread, rest_free, &error);
        if (!rest) {
                guest->gone = error->code == VSM_ERROR_INVALID_STATE;
                not_told(facts, error->message);
                return;
        }

        facts->resident = MIN(rest->resident, facts->memory);
        facts->page_size = rest->page_size;
        facts->compat = g_steal_pointer(&rest->compat);
        g_variant_unref(facts->reasons);
        facts->reasons = g_variant_ref(rest->reasons);
        rest_free(rest);
}

static void* round_thread(void *userdata) {
        Round *round = userdata;

        for (;;) {
                guint i = (guint) g_atomic_int_add(&round->next, 1);
                Guest *guest;

                if (i >= round->guests->len || vsm_cancel_fired(round->cancel))
                        return NULL;

                guest = round->guests->pdata[i];
                if (!guest->silent && !guest->gone)
                        round->func(round, guest);
        }
}

/* Every guest, several at a time. Where no thread is to be had this one does it all. */
static void run_round(Round *round, void (*func)(Round *round, Guest *guest)) {
        GThread *threads[THREADS_MAX - 1];
        guint n = 0, wanted = MIN(round->guests->len, THREADS_MAX);

        round->func = func;
        round->next = 0;
        while (n + 1 < wanted && (threads[n] = g_thread_try_new("vsm-facts", round_thread, round, NULL)))
                n++;

        (void) round_thread(round);
        while (n > 0)
                (void) g_thread_join(threads[--n]);
}

/* ---- which ones ---- */

typedef struct List {
        VsmVirt *virt;
        char **uuids;                   /* NULL = all */
} List;

static void list_free(void *userdata) {
        List *list = userdata;

        g_strfreev(list->uuids);
        g_free(list);
}

static void guests_free(void *guests) {
        g_ptr_array_unref(guests);
}

/* What libvirtd knows itself, without asking any QEMU. NULL with error, or when it is none of those wanted. */
static Guest* guest_new(const List *list, virDomainPtr domain) {
        g_autoptr(VsmDomainInfo) info = NULL;
        Guest *guest;

        /* one that is arriving is not ours to send on */
        if (!vsm_domain_snapshot(domain, &info, NULL) || !info || info->state == VSM_DOMAIN_INCOMING ||
            (list->uuids && !g_strv_contains((const char *const *) list->uuids, info->uuid)))
                return NULL;

        guest = g_new0(Guest, 1);
        guest->domain = domain;
        (void) virDomainRef(domain);
        guest->facts = g_new0(VsmGuestFacts, 1);
        g_strlcpy(guest->facts->uuid, info->uuid, sizeof guest->facts->uuid);
        guest->facts->name = g_strdup(info->name);
        guest->facts->memory = info->memory;
        guest->facts->resident = info->memory;
        /* also libvirt's words for one that was restored and is not resumed yet */
        guest->facts->paused = info->state == VSM_DOMAIN_PAUSED || info->state == VSM_DOMAIN_HANDED_OVER;
        guest->facts->asleep = info->state == VSM_DOMAIN_ASLEEP;
        guest->facts->policy = g_variant_ref(info->policy);
        guest->facts->reasons = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
        return guest;
}

/* Over a connection of its own, so that a QEMU which hangs does not take the one for short calls along. */
static void* list_thread(void *input, GError **error) {
        const List *list = input;
        g_autoptr(virConnect) connection = vsm_virt_open_own(list->virt, error);
        g_autoptr(GPtrArray) guests = g_ptr_array_new_with_free_func(guest_free);
        virDomainPtr *domains = NULL;

        if (!connection)
                return NULL;

        if (virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE) < 0) {
                vsm_virt_error(error, "Cannot list the systems");
                return NULL;
        }

        for (virDomainPtr *domain = domains; *domain; domain++) {
                Guest *guest = guest_new(list, *domain);

                if (guest)
                        g_ptr_array_add(guests, guest);
                virDomainFree(*domain);
        }

        free(domains);
        return g_steal_pointer(&guests);
}

static GPtrArray* list_guests(VsmVirt *virt, const char *const *uuids, int64_t deadline, VsmCancel *cancel,
                              GError **error) {
        List *list = g_new(List, 1);

        *list = (List) { virt, g_strdupv((char**) uuids) };
        return vsm_patience_run(&(VsmPatience) {
                                        .what = "libvirt here",
                                        .host = "",
                                        .func = list_thread,
                                        .input = list,
                                        .input_free = list_free,
                                        .result_free = guests_free,
                                }, deadline, cancel, error);
}

GPtrArray* vsm_virt_guest_facts(VsmVirt *virt, const char *const *uuids, uint64_t deadline, VsmCancel *cancel,
                                GError **error) {

        Round round = { .virt = virt, .deadline = g_get_monotonic_time() + (int64_t) deadline, .cancel = cancel };
        g_autoptr(GPtrArray) guests = NULL, all = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_guest_facts_free);

        guests = list_guests(virt, uuids, round.deadline, cancel, error);
        if (!guests)
                return NULL;

        round.guests = guests;
        run_round(&round, start_one);
        run_round(&round, rest_one);
        run_round(&round, read_one);
        if (vsm_cancel_fired(cancel)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED, "Looking at the systems was cancelled");
                return NULL;
        }

        for (guint i = 0; i < guests->len; i++) {
                Guest *guest = guests->pdata[i];

                if (!guest->gone)
                        g_ptr_array_add(all, g_steal_pointer(&guest->facts));
        }

        return g_steal_pointer(&all);
}
