/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plan as a whole: by which way of its chain each guest would go where, what the hosts have against it, the
 * placement and the schedule of those that move, and what becomes of the rest. Pure. */

#include <math.h>
#include <string.h>

#include "daemon/plan-private.h"

/* ---- the case ---- */

/* The first of the chain that ends by itself. A live migration that does not is slowed down rather than that the
 * guest is shut down or left. */
static VsmMethod choose_method(const VsmPlanGuest *guest, double rate) {
        bool slowed = false;

        for (size_t i = 0; i < guest->chain.n; i++) {
                VsmMethod method = guest->chain.methods[i];

                if (method == VSM_METHOD_LIVE && !vsm_plan_ends(guest, rate, method))
                        slowed = true;
                else if (method == VSM_METHOD_SHUTDOWN || method == VSM_METHOD_LEAVE)
                        return slowed ? VSM_METHOD_LIVE : method;
                else
                        return method;
        }

        return slowed ? VSM_METHOD_LIVE : VSM_METHOD_LEAVE;
}

static int compare_guests(const void *a, const void *b, void *userdata) {
        const VsmPlanInput *input = userdata;
        const VsmPlanGuest *x = &input->guests[*(const size_t *) a], *y = &input->guests[*(const size_t *) b];
        int order = x->priority < y->priority ? -1 : x->priority > y->priority;

        if (order == 0)
                order = g_strcmp0(x->name, y->name);

        return order != 0 ? order : g_strcmp0(x->uuid, y->uuid);
}

static int compare_hosts(const void *a, const void *b, void *userdata) {
        const VsmPlanInput *input = userdata;
        const VsmPlanHost *x = &input->hosts[*(const size_t *) a], *y = &input->hosts[*(const size_t *) b];
        int order = x->priority < y->priority ? -1 : x->priority > y->priority;

        return order != 0 ? order : g_strcmp0(x->name, y->name);
}

static size_t* sorted(size_t n, GCompareDataFunc compare, const VsmPlanInput *input) {
        size_t *order = g_new(size_t, n + 1);

        for (size_t i = 0; i < n; i++)
                order[i] = i;

        g_qsort_with_data(order, (int) n, sizeof(*order), compare, (void *) input);
        return order;
}

static void case_order(VsmPlanCase *c) {
        const VsmPlanInput *input = c->input;

        c->guest_order = sorted(c->n, compare_guests, input);
        c->host_order = sorted(c->m, compare_hosts, input);
        c->class = g_new0(size_t, c->n + 1);
        c->rank = g_new0(size_t, c->m + 1);

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i];

                if (i == 0 || input->guests[g].priority != input->guests[c->guest_order[i - 1]].priority)
                        c->n_classes++;
                c->class[g] = c->n_classes - 1;
        }

        for (size_t i = 1; i < c->m; i++) {
                size_t h = c->host_order[i], before = c->host_order[i - 1];

                c->rank[h] = c->rank[before] + (input->hosts[h].priority != input->hosts[before].priority);
        }
}

static void case_groups(VsmPlanCase *c) {
        g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);

        c->group = g_new0(size_t, c->n + 1);
        c->n_groups = 1;
        for (size_t g = 0; g < c->n; g++) {
                const char *name = c->input->guests[g].group;

                if (!name || name[0] == '\0')
                        continue;
                if (!g_hash_table_contains(numbers, name))
                        g_hash_table_insert(numbers, (void *) name, GSIZE_TO_POINTER(c->n_groups++));

                c->group[g] = GPOINTER_TO_SIZE(g_hash_table_lookup(numbers, name));
        }

        c->group_there = g_new0(bool, c->m * c->n_groups + 1);
        for (size_t h = 0; h < c->m; h++)
                for (const char *const *p = c->input->hosts[h].groups; p && *p; p++)
                        c->group_there[h * c->n_groups + GPOINTER_TO_SIZE(g_hash_table_lookup(numbers, *p))] = true;
}

static void case_pair(VsmPlanCase *c, size_t g, size_t h) {
        const VsmPlanGuest *guest = &c->input->guests[g];
        size_t pair = VSM_PLAN_PAIR(c, g, h);
        VsmPlanTime time;

        c->method[pair] = choose_method(guest, c->rate[h]);
        if (!vsm_method_moves(c->method[pair]))
                return;

        if (c->input->objection)
                c->objection[pair] = c->input->objection(g, h, c->input->userdata);
        if (c->objection[pair])
                return;

        time = vsm_plan_time(guest->resident, guest->dirty_rate, (uint64_t) c->rate[h], 0, c->method[pair]);
        c->possible[pair] = true;
        c->lane[pair] = time.duration;
        c->source[pair] = time.bytes / c->link * G_USEC_PER_SEC;
}

static void case_bound(VsmPlanCase *c) {
        double source = 0, bytes = 0, rates = 0;

        for (size_t h = 0; h < c->m; h++)
                rates += c->rate[h];

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i];
                double least = INFINITY;

                for (size_t h = 0; h < c->m; h++)
                        if (c->possible[VSM_PLAN_PAIR(c, g, h)])
                                least = MIN(least, c->source[VSM_PLAN_PAIR(c, g, h)]);

                if (isfinite(least)) {
                        source += least;
                        bytes += least * c->link;
                }
        }

        c->bound = rates > 0 ? MAX(source, bytes / rates) : 0;
}

static void case_init(VsmPlanCase *c, const VsmPlanInput *input) {
        size_t pairs = input->n_guests * input->n_hosts + 1;

        *c = (VsmPlanCase) {
                .input = input,
                .n = input->n_guests,
                .m = input->n_hosts,
                .link = input->link_rate,
                .rate = g_new(double, input->n_hosts + 1),
                .possible = g_new0(bool, pairs),
                .objection = g_new0(GVariant *, pairs),
                .method = g_new0(uint8_t, pairs),
                .lane = g_new0(double, pairs),
                .source = g_new0(double, pairs),
        };

        case_order(c);
        case_groups(c);
        for (size_t h = 0; h < c->m; h++) {
                uint64_t rate = input->hosts[h].link_rate;

                c->rate[h] = rate > 0 ? MIN(rate, input->link_rate) : input->link_rate;
        }

        for (size_t g = 0; g < c->n; g++)
                for (size_t h = 0; h < c->m; h++)
                        case_pair(c, g, h);

        case_bound(c);
}

static void case_clear(VsmPlanCase *c) {
        g_free(c->guest_order);
        g_free(c->host_order);
        g_free(c->class);
        g_free(c->rank);
        g_free(c->group);
        g_free(c->group_there);
        g_free(c->rate);
        g_free(c->possible);
        g_free(c->objection);
        g_free(c->method);
        g_free(c->lane);
        g_free(c->source);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmPlanCase, case_clear)

/* ---- those that move ---- */

/* With a deadline it matters more that guests arrive than which host is preferred. */
static VsmPlanSlot* place_and_schedule(const VsmPlanCase *c) {
        g_autofree size_t *hosts = vsm_plan_place(c, true), *others = NULL;
        g_autofree VsmPlanSlot *slots = vsm_plan_schedule(c, hosts), *other = NULL;

        if (c->m == 0 || c->rank[c->host_order[c->m - 1]] == 0 || vsm_plan_late(c, slots) == 0)
                return g_steal_pointer(&slots);

        others = vsm_plan_place(c, false);
        other = vsm_plan_schedule(c, others);
        return vsm_plan_late(c, other) < vsm_plan_late(c, slots) ? g_steal_pointer(&other) : g_steal_pointer(&slots);
}

/* ---- those that stay ---- */

typedef struct Disk {
        double busy;                    /* until then */
        double rate, deadline;
} Disk;

/* One is saved after the other, from the beginning: a disk is no link. */
static void stay(const VsmPlanGuest *guest, Disk *disk, VsmPlanEntry *entry) {
        double time = guest->resident / disk->rate * G_USEC_PER_SEC;

        entry->host = VSM_PLAN_NO_HOST;
        entry->method = VSM_METHOD_LEAVE;

        for (size_t i = 0; i < guest->chain.n; i++) {
                VsmMethod method = guest->chain.methods[i];

                if (vsm_method_moves(method) ||
                    (method == VSM_METHOD_SAVE && disk->deadline > 0 && disk->busy + time > disk->deadline))
                        continue;

                entry->method = method;
                break;
        }

        if (entry->method != VSM_METHOD_SAVE)
                return;

        entry->start = (uint64_t) disk->busy;
        entry->duration = (uint64_t) time;
        entry->bytes = guest->resident;
        disk->busy += time;
}

typedef struct Stay {
        size_t guest, class, tie;
        uint64_t size;
} Stay;

static int compare_stay(const void *a, const void *b) {
        const Stay *x = a, *y = b;

        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        if (x->size != y->size)
                return x->size < y->size ? -1 : 1;

        return x->tie < y->tie ? -1 : 1;
}

static void plan_stays(const VsmPlanCase *c, const VsmPlanSlot *slots, VsmPlanEntry *entries) {
        g_autofree Stay *stays = g_new(Stay, c->n + 1);
        Disk disk = { .rate = c->input->disk_rate, .deadline = c->input->deadline };
        size_t n = 0;

        for (size_t i = 0; i < c->n; i++) {
                size_t g = c->guest_order[i];

                if (slots[g].host == VSM_PLAN_NO_HOST)
                        stays[n++] = (Stay) { g, c->class[g], i, c->input->guests[g].resident };
        }

        qsort(stays, n, sizeof(Stay), compare_stay);
        for (size_t i = 0; i < n; i++)
                stay(&c->input->guests[stays[i].guest], &disk, &entries[stays[i].guest]);
}

/* ---- the plan ---- */

typedef struct Position {
        VsmPlanEntry entry;
        size_t tie;
} Position;

/* What is left stands last; at the same moment those that move come first. */
static int compare_positions(const void *a, const void *b) {
        const Position *x = a, *y = b;
        bool x_left = x->entry.method == VSM_METHOD_LEAVE, y_left = y->entry.method == VSM_METHOD_LEAVE;
        bool x_moves = vsm_method_moves(x->entry.method), y_moves = vsm_method_moves(y->entry.method);

        if (x_left != y_left)
                return x_left ? 1 : -1;
        if (x->entry.start != y->entry.start)
                return x->entry.start < y->entry.start ? -1 : 1;
        if (x_moves != y_moves)
                return x_moves ? -1 : 1;

        return x->tie < y->tie ? -1 : 1;
}

static void put_in_order(const VsmPlanCase *c, VsmPlanEntry *entries) {
        g_autofree Position *positions = g_new(Position, c->n + 1);

        for (size_t i = 0; i < c->n; i++)
                positions[i] = (Position) { entries[c->guest_order[i]], i };

        qsort(positions, c->n, sizeof(Position), compare_positions);
        for (size_t i = 0; i < c->n; i++) {
                entries[i] = positions[i].entry;
                entries[i].order = (unsigned) i + 1;
        }
}

static void give_reasons(const VsmPlanCase *c, const VsmPlanSlot *slots, VsmPlanEntry *entries) {
        g_autoptr(VsmPlanRoom) room = vsm_plan_room_new(c);

        for (size_t g = 0; g < c->n; g++)
                if (slots[g].host != VSM_PLAN_NO_HOST)
                        vsm_plan_room_put(c, room, g, slots[g].host);

        for (size_t g = 0; g < c->n; g++)
                entries[g].reasons = vsm_plan_reasons(c, room, g, &slots[g], entries[g].method);
}

VsmPlan* vsm_plan_make(const VsmPlanInput *input) {
        g_auto(VsmPlanCase) c = {};
        g_autofree VsmPlanSlot *slots = NULL;
        VsmPlan *plan = g_new0(VsmPlan, 1);

        case_init(&c, input);
        slots = place_and_schedule(&c);

        plan->n = c.n;
        plan->entries = g_new0(VsmPlanEntry, c.n + 1);
        plan->makespan = (uint64_t) (vsm_plan_makespan(&c, slots) + 0.5);
        plan->bound = (uint64_t) (vsm_plan_bound(&c, slots) + 0.5);

        for (size_t g = 0; g < c.n; g++)
                plan->entries[g] = (VsmPlanEntry) {
                        .guest = g,
                        .host = slots[g].host,
                        .method = slots[g].method,
                        .start = (uint64_t) slots[g].start,
                        .duration = (uint64_t) (slots[g].end - slots[g].start),
                        .bytes = (uint64_t) slots[g].bytes,
                };

        plan_stays(&c, slots, plan->entries);
        give_reasons(&c, slots, plan->entries);
        put_in_order(&c, plan->entries);
        return plan;
}

void vsm_plan_free(VsmPlan *plan) {
        if (!plan)
                return;

        for (size_t i = 0; i < plan->n; i++)
                g_variant_unref(plan->entries[i].reasons);

        g_free(plan->entries);
        g_free(plan);
}
