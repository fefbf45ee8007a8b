/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long calls on the system bus take, of several kinds and services side by side: in each round every
 * kind is called once, in an order that changes from round to round, so that what else happens on the
 * machine happens to all of them. Prints medians and the ratios that were asked for; judges nothing. */

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define NAME            "org.example.VirtualSystemMigration"
#define ROOT            "/org/example/VirtualSystemMigration"
#define JOB_TERMINATE   4
#define FIELDS_MAX      5
#define PROBES_MAX      32
#define RATIOS_MAX      32
#define CALL_TIMEOUT    (60 * UINT64_C(1000000))

typedef struct Probe {
        const char *name;
        const char *field[FIELDS_MAX];          /* what kind, and what it is done to */
        double *samples;                        /* us */
        unsigned n;
} Probe;

typedef struct Ratio {
        const char *name, *above, *below, *bar;
} Ratio;

static Probe probes[PROBES_MAX];
static Ratio ratios[RATIOS_MAX];
static unsigned n_probes, n_ratios;
static sd_bus *bus;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
        exit(EXIT_FAILURE);
}

static double now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

/* ---- the calls ---- */

static sd_bus_message* call_new(const char *destination, const char *path, const char *interface,
                                const char *member) {
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, destination, path, interface, member);

        if (r < 0)
                die("%s.%s of %s at %s: %s", interface, member, path, destination, strerror(-r));
        return m;
}

/* Takes the message. The time is that of the call alone. */
static sd_bus_message* call_timed(sd_bus_message *m, double *usec) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        double start = now_usec();
        int r = sd_bus_call(bus, m, CALL_TIMEOUT, &error, &reply);

        *usec += now_usec() - start;
        if (r < 0)
                die("%s: %s", sd_bus_message_get_member(m), error.message ? error.message : strerror(-r));

        sd_bus_message_unref(m);
        return reply;
}

static double do_ping(const Probe *p) {
        double usec = 0;

        sd_bus_message_unref(call_timed(call_new(p->field[1], p->field[2], "org.freedesktop.DBus.Peer", "Ping"),
                                        &usec));
        return usec;
}

static sd_bus_message* properties_call(const char *destination, const char *path, const char *interface,
                                       const char *property) {
        sd_bus_message *m = call_new(destination, path, "org.freedesktop.DBus.Properties",
                                     property ? "Get" : "GetAll");

        (void) sd_bus_message_append(m, "s", interface);
        if (property)
                (void) sd_bus_message_append(m, "s", property);
        return m;
}

/* Get, or without a property GetAll */
static double do_get(const Probe *p) {
        double usec = 0;

        sd_bus_message_unref(call_timed(properties_call(p->field[1], p->field[2], p->field[3], p->field[4]),
                                        &usec));
        return usec;
}

static double do_objects(const Probe *p) {
        double usec = 0;

        sd_bus_message_unref(call_timed(call_new(p->field[1], p->field[2], "org.freedesktop.DBus.ObjectManager",
                                                 "GetManagedObjects"), &usec));
        return usec;
}

/* Any method whose only argument is a number of flags, none of which is set */
static double do_flags(const Probe *p) {
        sd_bus_message *m = call_new(p->field[1], p->field[2], p->field[3], p->field[4]);
        double usec = 0;

        (void) sd_bus_message_append(m, "u", 0);
        sd_bus_message_unref(call_timed(m, &usec));
        return usec;
}

/* What a client of libvirt-dbus, which has no object manager, does to know all domains */
static double do_walk(const Probe *p) {
        sd_bus_message *m = call_new(p->field[1], p->field[2], "org.libvirt.Connect", "ListDomains"), *reply;
        const char *path;
        double usec = 0;

        (void) sd_bus_message_append(m, "u", 0);
        reply = call_timed(m, &usec);
        if (sd_bus_message_enter_container(reply, 'a', "o") < 0)
                die("ListDomains gave something else than paths");

        while (sd_bus_message_read(reply, "o", &path) > 0)
                sd_bus_message_unref(call_timed(properties_call(p->field[1], path, "org.libvirt.Domain", NULL),
                                                &usec));

        sd_bus_message_unref(reply);
        return usec;
}

/* What polkit itself takes for a caller like us */
static double do_polkit(const Probe *p) {
        sd_bus_message *m = call_new("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                                     "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
        const char *unique = NULL;
        double usec = 0;

        (void) sd_bus_get_unique_name(bus, &unique);
        (void) sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", unique, p->field[1],
                                     0, 0, "");
        sd_bus_message_unref(call_timed(m, &usec));
        return usec;
}

static unsigned job_state(const char *job) {
        sd_bus_message *reply;
        double ignored = 0;
        uint16_t state = 0;

        reply = call_timed(properties_call(NAME, job, NAME ".Job", "JobState"), &ignored);
        if (sd_bus_message_read(reply, "v", "q", &state) < 0)
                die("%s has no JobState", job);
        sd_bus_message_unref(reply);
        return state;
}

/* The call that begins a migration, to its reply. Not timed: the job is cancelled, and waited for. */
static double do_migrate(const Probe *p) {
        sd_bus_message *m = call_new(NAME, ROOT, NAME, "MigrateVirtualSystemToHost"), *reply;
        const char *job = NULL;
        double usec = 0, ignored = 0;

        (void) sd_bus_message_append(m, "osa{sv}a{sv}aa{sv}", p->field[1], p->field[2], 0, 0, 0);
        reply = call_timed(m, &usec);
        if (sd_bus_message_read(reply, "uo", NULL, &job) < 0)
                die("the migration gave no job");

        m = call_new(NAME, job, NAME ".Job", "RequestStateChange");
        (void) sd_bus_message_append(m, "qt", JOB_TERMINATE, UINT64_C(0));
        sd_bus_message_unref(call_timed(m, &ignored));

        while (job_state(job) < 7)
                nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);

        sd_bus_message_unref(reply);
        return usec;
}

static const struct {
        const char *name;
        unsigned fields;        /* with the name of the kind */
        double (*run)(const Probe *p);
} kinds[] = {
        { "ping",    3, do_ping    },   /* ping,DESTINATION,PATH */
        { "get",     5, do_get     },   /* get,DESTINATION,PATH,INTERFACE,PROPERTY */
        { "getall",  4, do_get     },   /* getall,DESTINATION,PATH,INTERFACE */
        { "objects", 3, do_objects },   /* objects,DESTINATION,PATH */
        { "flags",   5, do_flags   },   /* flags,DESTINATION,PATH,INTERFACE,METHOD */
        { "walk",    3, do_walk    },   /* walk,DESTINATION,PATH */
        { "polkit",  2, do_polkit  },   /* polkit,ACTION */
        { "migrate", 3, do_migrate },   /* migrate,SYSTEM,HOST */
};

static double run_probe(const Probe *p) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
                if (strcmp(kinds[i].name, p->field[0]) == 0)
                        return kinds[i].run(p);

        die("no such kind of call: %s", p->field[0]);
}

/* ---- numbers ---- */

static int compare(const void *a, const void *b) {
        double x = *(const double*) a, y = *(const double*) b;

        return (x > y) - (x < y);
}

static double quantile(const Probe *p, double q) {
        double at = q * (p->n - 1);
        unsigned i = (unsigned) at;

        return i + 1 < p->n ? p->samples[i] + (at - i) * (p->samples[i + 1] - p->samples[i]) : p->samples[i];
}

static void shuffle(unsigned *order) {
        for (unsigned i = n_probes - 1; i > 0; i--) {
                unsigned j = (unsigned) (random() % (i + 1)), t = order[i];

                order[i] = order[j];
                order[j] = t;
        }
}

static void measure(unsigned rounds, unsigned warm) {
        unsigned order[PROBES_MAX];

        for (unsigned i = 0; i < n_probes; i++) {
                order[i] = i;
                probes[i].samples = calloc(rounds, sizeof(double));
                if (!probes[i].samples)
                        die("out of memory");
        }

        for (unsigned round = 0; round < warm + rounds; round++) {
                shuffle(order);
                for (unsigned i = 0; i < n_probes; i++) {
                        Probe *p = &probes[order[i]];
                        double usec = run_probe(p);

                        if (round >= warm)
                                p->samples[p->n++] = usec;
                }
        }

        for (unsigned i = 0; i < n_probes; i++)
                qsort(probes[i].samples, probes[i].n, sizeof(double), compare);
}

static double median_of(const char *name) {
        for (unsigned i = 0; i < n_probes; i++)
                if (strcmp(probes[i].name, name) == 0)
                        return quantile(&probes[i], 0.5);

        die("a ratio names %s, which is not measured", name);
}

static void print(FILE *json, const char *set) {
        printf("%-46s %9s %9s %9s\n", set, "p10 us", "median", "p90");
        for (unsigned i = 0; i < n_probes; i++) {
                const Probe *p = &probes[i];

                printf("  %-44s %9.1f %9.1f %9.1f\n", p->name, quantile(p, 0.1), quantile(p, 0.5),
                       quantile(p, 0.9));
                if (json)
                        fprintf(json, "{\"set\":\"%s\",\"measure\":\"%s\",\"unit\":\"us\",\"n\":%u,"
                                "\"p10\":%.1f,\"median\":%.1f,\"p90\":%.1f}\n", set, p->name, p->n,
                                quantile(p, 0.1), quantile(p, 0.5), quantile(p, 0.9));
        }

        for (unsigned i = 0; i < n_ratios; i++) {
                const Ratio *q = &ratios[i];
                double value = median_of(q->above) / median_of(q->below);

                printf("  = %-52s %8.3f  bar %s\n", q->name, value, q->bar);
                if (json)
                        fprintf(json, "{\"set\":\"%s\",\"ratio\":\"%s\",\"value\":%.4f,\"bar\":\"%s\"}\n", set,
                                q->name, value, q->bar);
        }
}

/* ---- the command line ---- */

/* NAME=KIND,FIELD,... */
static void parse_probe(char *text) {
        Probe *p = &probes[n_probes];
        char *rest = strchr(text, '=');
        unsigned n = 0;

        if (!rest || n_probes >= PROBES_MAX)
                die("not NAME=KIND,FIELD,..., or too many: %s", text);

        *rest++ = 0;
        p->name = text;
        while (n < FIELDS_MAX && rest)
                p->field[n++] = strsep(&rest, ",");

        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
                if (strcmp(kinds[i].name, p->field[0]) == 0 && kinds[i].fields == n && !rest) {
                        n_probes++;
                        return;
                }

        die("no such kind of call, or not what it takes: %s", text);
}

/* TITLE=NAME/NAME=BAR */
static void parse_ratio(char *text) {
        Ratio *q = &ratios[n_ratios];

        if (n_ratios >= RATIOS_MAX)
                die("too many ratios");

        q->name = strsep(&text, "=");
        q->above = text ? strsep(&text, "/") : NULL;
        q->below = text ? strsep(&text, "=") : NULL;
        q->bar = text;
        if (!q->bar)
                die("not TITLE=NAME/NAME=BAR: %s", q->name);

        n_ratios++;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "rounds", required_argument, NULL, 'n' },
                { "warm",   required_argument, NULL, 'w' },
                { "set",    required_argument, NULL, 's' },
                { "json",   required_argument, NULL, 'j' },
                { "ratio",  required_argument, NULL, 'r' },
                {}
        };
        unsigned rounds = 1000, warm = 20;
        const char *set = "calls";
        FILE *json = NULL;
        int c, r;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'n':
                        rounds = (unsigned) strtoul(optarg, NULL, 10);
                        break;
                case 'w':
                        warm = (unsigned) strtoul(optarg, NULL, 10);
                        break;
                case 's':
                        set = optarg;
                        break;
                case 'j':
                        json = fopen(optarg, "ae");
                        if (!json)
                                die("%s: %s", optarg, strerror(errno));
                        break;
                case 'r':
                        parse_ratio(optarg);
                        break;
                default:
                        return 2;
                }

        for (int i = optind; i < argc; i++)
                parse_probe(argv[i]);
        if (n_probes == 0 || rounds == 0)
                die("usage: bus-latency [--rounds N] [--warm N] [--set NAME] [--json FILE]\n"
                    "                   [--ratio TITLE=NAME/NAME=BAR]... NAME=KIND,FIELD,...");

        r = sd_bus_open_system(&bus);
        if (r < 0)
                die("the system bus: %s", strerror(-r));

        measure(rounds, warm);
        print(json, set);

        if (json && fclose(json) != 0)
                die("the file of numbers: %s", strerror(errno));
        sd_bus_flush_close_unref(bus);
        for (unsigned i = 0; i < n_probes; i++)
                free(probes[i].samples);
        return EXIT_SUCCESS;
}
