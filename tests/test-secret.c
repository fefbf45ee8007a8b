/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copying secrets and taking that back, on two hosts whose libvirt is made up here: libvirt's own test
 * driver has no secrets. What is defined below takes the place of the library's functions. */

#include <stdlib.h>
#include <string.h>

#include "daemon/virt/secret.h"
#include "daemon/virt/undo.h"

#define U1 "11111111-1111-1111-1111-111111111111"
#define U2 "22222222-2222-2222-2222-222222222222"

typedef struct Secret {
        const char *uuid, *usage;
        int type;
        bool exists, private;
        char value[16];                 /* "" = none */
} Secret;

typedef struct Host {
        Secret secrets[2];
        const char *domain;             /* XML of one that is there; NULL = none */
        bool takes_no_value;
        bool in_clear;                  /* the connection to it can be read by others */
} Host;

static Host here, there;
static int last_code;
static unsigned char *given;            /* a value that is out */
static size_t given_size;

/* ---- in place of libvirt ---- */

static Secret* secret_of(virSecretPtr secret) {
        return (Secret*) secret;
}

static void* no(int code) {
        last_code = code;
        return NULL;
}

int virGetLastErrorCode(void) {
        return last_code;
}

virErrorPtr virGetLastError(void) {
        static virError error;

        error = (virError) { .code = last_code, .message = (char*) "made up" };
        return &error;
}

int virConnectIsSecure(virConnectPtr connection) {
        return !((Host*) connection)->in_clear;
}

virSecretPtr virSecretLookupByUUIDString(virConnectPtr connection, const char *uuid) {
        Host *host = (Host*) connection;

        for (size_t i = 0; i < G_N_ELEMENTS(host->secrets); i++)
                if (host->secrets[i].exists && g_str_equal(host->secrets[i].uuid, uuid))
                        return (virSecretPtr) &host->secrets[i];

        return no(VIR_ERR_NO_SECRET);
}

virSecretPtr virSecretLookupByUsage(virConnectPtr connection, int type, const char *usage) {
        Host *host = (Host*) connection;

        for (size_t i = 0; i < G_N_ELEMENTS(host->secrets); i++)
                if (host->secrets[i].exists && host->secrets[i].type == type &&
                    g_str_equal(host->secrets[i].usage, usage))
                        return (virSecretPtr) &host->secrets[i];

        return no(VIR_ERR_NO_SECRET);
}

int virSecretFree(virSecretPtr secret) {
        return 0;
}

int virSecretGetUUIDString(virSecretPtr secret, char *uuid) {
        g_strlcpy(uuid, secret_of(secret)->uuid, VIR_UUID_STRING_BUFLEN);
        return 0;
}

int virSecretGetUsageType(virSecretPtr secret) {
        return secret_of(secret)->type;
}

const char* virSecretGetUsageID(virSecretPtr secret) {
        return secret_of(secret)->usage;
}

/* its UUID is all that the other side needs here */
char* virSecretGetXMLDesc(virSecretPtr secret, unsigned flags) {
        return strdup(secret_of(secret)->uuid);
}

/* Kept until the test has looked at it: freed by free() of libc, so it is a copy that is watched. */
unsigned char* virSecretGetValue(virSecretPtr secret, size_t *size, unsigned flags) {
        const Secret *s = secret_of(secret);

        if (s->private)
                return no(VIR_ERR_INVALID_SECRET);
        if (!*s->value)
                return no(VIR_ERR_NO_SECRET);

        *size = given_size = strlen(s->value);
        given = (unsigned char*) strdup(s->value);
        return given;
}

virSecretPtr virSecretDefineXML(virConnectPtr connection, const char *xml, unsigned flags) {
        Host *host = (Host*) connection;

        for (size_t i = 0; i < G_N_ELEMENTS(host->secrets); i++)
                if (g_str_equal(host->secrets[i].uuid, xml)) {
                        host->secrets[i].exists = true;
                        return (virSecretPtr) &host->secrets[i];
                }

        return no(VIR_ERR_INTERNAL_ERROR);
}

int virSecretSetValue(virSecretPtr secret, const unsigned char *value, size_t size, unsigned flags) {
        if (there.takes_no_value) {
                last_code = VIR_ERR_INTERNAL_ERROR;
                return -1;
        }

        memcpy(secret_of(secret)->value, value, size);
        secret_of(secret)->value[size] = 0;
        return 0;
}

int virSecretUndefine(virSecretPtr secret) {
        secret_of(secret)->exists = false;
        return 0;
}

int virConnectListAllDomains(virConnectPtr connection, virDomainPtr **domains, unsigned flags) {
        Host *host = (Host*) connection;

        *domains = calloc(2, sizeof **domains);
        (*domains)[0] = (virDomainPtr) host;
        return host->domain ? 1 : 0;
}

char* virDomainGetXMLDesc(virDomainPtr domain, unsigned flags) {
        return strdup(((Host*) domain)->domain);
}

int virDomainFree(virDomainPtr domain) {
        return 0;
}

int virConnectListAllStoragePools(virConnectPtr connection, virStoragePoolPtr **pools, unsigned flags) {
        *pools = NULL;
        return 0;
}

/* In place of libc's: what is freed must not hold a value any more. */
static unsigned wiped;

void explicit_bzero(void *memory, size_t size) {
        g_assert_true(memory == given);
        g_assert_cmpuint(size, ==, given_size);
        memset(memory, 0, size);
        wiped++;
}

/* ---- a journal ---- */

static GPtrArray *written;
static bool full;

static bool journal_write(VsmEffect *effect, void *userdata, GError **error) {
        if (full) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "disk full");
                return false;
        }

        /* before it is done */
        for (size_t i = 0; i < 2; i++)
                g_assert_true(!g_str_equal(there.secrets[i].uuid, effect->object) || !there.secrets[i].exists);

        g_ptr_array_add(written, vsm_effect_copy(effect));
        return true;
}

static const VsmJournal journal = { .write = journal_write };

/* ---- */

#define DOMAIN                                                                                            \
        "<domain><devices>"                                                                               \
        "<disk><encryption format='luks'><secret type='passphrase' uuid='" U1 "'/></encryption></disk>"   \
        "<disk><source><auth username='a'><secret type='ceph' usage='client.a'/></auth></source></disk>"  \
        "<disk><source><auth username='a'><secret type='ceph' usage='client.a'/></auth></source></disk>"  \
        "</devices><metadata><x xmlns='urn:x'><secret uuid='no'/></x></metadata></domain>"

static void reset(void) {
        const Host start = { .secrets = {
                { .uuid = U1, .usage = "/disk", .type = VIR_SECRET_USAGE_TYPE_VOLUME },
                { .uuid = U2, .usage = "client.a", .type = VIR_SECRET_USAGE_TYPE_CEPH },
        } };

        here = there = start;
        for (size_t i = 0; i < 2; i++) {
                here.secrets[i].exists = true;
                g_strlcpy(here.secrets[i].value, i == 0 ? "one" : "two", sizeof here.secrets[i].value);
        }

        g_clear_pointer(&written, g_ptr_array_unref);
        written = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_effect_free);
        full = false;
        wiped = 0;
}

static bool copy(GError **error) {
        return vsm_secrets_copy((virConnectPtr) &here, (virConnectPtr) &there, "b", DOMAIN, &journal, error);
}

static void test_needs(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) needs = vsm_secrets_from_xml(DOMAIN, &error);
        const VsmSecretNeed *need;

        g_assert_no_error(error);
        g_assert_cmpuint(needs->len, ==, 2);
        need = needs->pdata[0];
        g_assert_cmpstr(need->uuid, ==, U1);
        need = needs->pdata[1];
        g_assert_cmpstr(need->usage, ==, "client.a");
        g_assert_cmpint(need->usage_type, ==, VIR_SECRET_USAGE_TYPE_CEPH);
}

static void test_copied(void) {
        g_autoptr(GError) error = NULL;
        const VsmEffect *effect;

        reset();
        g_assert_true(copy(&error));
        g_assert_no_error(error);
        g_assert_cmpstr(there.secrets[0].value, ==, "one");
        g_assert_cmpstr(there.secrets[1].value, ==, "two");
        g_assert_cmpuint(wiped, ==, 2);

        g_assert_cmpuint(written->len, ==, 2);
        effect = written->pdata[1];
        g_assert_cmpint(effect->kind, ==, VSM_EFFECT_SECRET);
        g_assert_true(effect->there);
        g_assert_cmpstr(effect->object, ==, U2);
        g_assert_cmpstr(effect->detail, ==, "2:client.a");

        /* what is there is left as it is */
        g_strlcpy(there.secrets[0].value, "own", sizeof there.secrets[0].value);
        there.secrets[1].private = true;
        g_assert_true(copy(&error));
        g_assert_no_error(error);
        g_assert_cmpuint(written->len, ==, 2);
        g_assert_cmpstr(there.secrets[0].value, ==, "own");
}

static void assert_fails(const char *word, VsmError code) {
        g_autoptr(GError) error = NULL;

        g_assert_false(copy(&error));
        g_assert_error(error, VSM_ERROR, (int) code);
        g_assert_nonnull(strstr(error->message, word));
}

static void test_refused(void) {
        reset();
        full = true;
        assert_fails("disk full", VSM_ERROR_FAILED);
        g_assert_false(there.secrets[0].exists);
        g_assert_cmpuint(wiped, ==, 1);

        reset();
        here.secrets[0].private = true;
        assert_fails(U1, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
        g_assert_false(there.secrets[0].exists);
        g_assert_cmpuint(written->len, ==, 0);

        reset();
        here.secrets[0].exists = false;
        assert_fails(U1, VSM_ERROR_INCOMPATIBLE_PARAMETERS);

        /* somebody's, with nothing in it: not ours to fill */
        reset();
        there.secrets[0].exists = true;
        assert_fails(U1, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
        g_assert_cmpstr(there.secrets[0].value, ==, "");

        /* the usage is taken by another one */
        reset();
        there.secrets[1] = (Secret) { .uuid = "33333333-3333-3333-3333-333333333333", .usage = "/disk",
                                      .type = VIR_SECRET_USAGE_TYPE_VOLUME, .exists = true, .value = "x" };
        assert_fails("another secret", VSM_ERROR_INCOMPATIBLE_PARAMETERS);

        /* made, but not filled: it is in the journal */
        reset();
        there.takes_no_value = true;
        assert_fails(U1, VSM_ERROR_FAILED);
        g_assert_cmpuint(written->len, ==, 1);
        g_assert_cmpuint(wiped, ==, 1);
}

/* Where others can read what is sent, no value goes, and none is asked for. */
static void test_in_clear(void) {
        g_autoptr(GError) error = NULL;

        reset();
        there.in_clear = true;
        given = NULL;
        assert_fails("AuthenticationType", VSM_ERROR_INCOMPATIBLE_PARAMETERS);
        g_assert_null(given);
        g_assert_false(there.secrets[0].exists);
        g_assert_cmpuint(written->len, ==, 0);

        there.secrets[0] = here.secrets[0];
        there.secrets[1] = here.secrets[1];
        g_assert_true(copy(&error));
        g_assert_no_error(error);
        g_assert_null(given);
}

static const char* obstacle(const char *uuid, const char *usage) {
        return vsm_secret_obstacle((virConnectPtr) &here, (virConnectPtr) &there, uuid, usage,
                                   VIR_SECRET_USAGE_TYPE_CEPH);
}

/* What a check says is what the copying would do. */
static void test_obstacle(void) {
        reset();
        g_assert_null(obstacle(U1, NULL));
        g_assert_null(obstacle(NULL, "client.a"));
        g_assert_cmpuint(wiped, ==, 2);
        g_assert_cmpstr(obstacle(NULL, "client.b"), ==, "secret-missing");

        here.secrets[0].private = true;
        g_assert_cmpstr(obstacle(U1, NULL), ==, "secret-missing");
        there.in_clear = true;
        g_assert_cmpstr(obstacle(U1, NULL), ==, "secret-missing");
        g_assert_cmpstr(obstacle(U2, NULL), ==, "secret-in-clear");
}

static bool take_back(const char *detail) {
        g_autoptr(VsmEffect) effect = vsm_effect_new(VSM_EFFECT_SECRET, true, U1, detail);
        VsmUndo undo = { .there = (virConnectPtr) &there, .connection = (virConnectPtr) &there, .effect = effect };
        g_autoptr(GError) error = NULL;
        g_autofree char *told = NULL;

        g_assert_true(vsm_undo_secret(&undo, &told, &error));
        g_assert_no_error(error);
        return told;
}

static void test_taken_back(void) {
        g_autoptr(GError) error = NULL;

        reset();
        g_assert_true(copy(&error));

        /* another's by now, or needed by a domain */
        g_assert_true(take_back("1:/other"));
        g_assert_true(there.secrets[0].exists);
        there.domain = DOMAIN;
        g_assert_true(take_back("1:/disk"));
        g_assert_true(there.secrets[0].exists);

        there.domain = "<domain><devices/></domain>";
        g_assert_true(take_back("1:/disk"));
        g_assert_false(there.secrets[0].exists);
        g_assert_true(there.secrets[1].exists);

        /* gone already */
        g_assert_false(take_back("1:/disk"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/secret/needs", test_needs);
        g_test_add_func("/secret/copied", test_copied);
        g_test_add_func("/secret/refused", test_refused);
        g_test_add_func("/secret/in-clear", test_in_clear);
        g_test_add_func("/secret/obstacle", test_obstacle);
        g_test_add_func("/secret/taken-back", test_taken_back);

        return g_test_run();
}
