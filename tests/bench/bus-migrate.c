/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One migration by the bare bus call, timed without the start of any program: from the call to its reply,
 * and to the signal that says that the job has ended. Prints both, in microseconds. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define NAME                    "org.example.VirtualSystemMigration"
#define ROOT                    "/org/example/VirtualSystemMigration"
#define STATE_COMPLETED         7
#define TYPE_LIVE               32768

typedef struct Watch {
        const char *job;
        uint16_t state;
        uint64_t ended;
} Watch;

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static int die(const char *what, const sd_bus_error *error, int r) {
        fprintf(stderr, "%s: %s\n", what, error && error->message ? error->message : strerror(-r));
        return EXIT_FAILURE;
}

static int read_state(sd_bus_message *m, uint16_t *ret) {
        const char *interface, *name;
        int r;

        r = sd_bus_message_read(m, "s", &interface);
        if (r < 0 || strcmp(interface, NAME ".Job") != 0)
                return r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = strcmp(name, "JobState") == 0 ? sd_bus_message_read(m, "v", "q", ret) :
                                                            sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }

        return r;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Watch *watch = userdata;

        if (!watch->job || strcmp(sd_bus_message_get_path(m), watch->job) != 0)
                return 0;
        if (read_state(m, &watch->state) < 0)
                fprintf(stderr, "a signal of the job could not be read\n");
        if (watch->state >= STATE_COMPLETED && watch->ended == 0)
                watch->ended = now_usec();

        return 0;
}

int main(int argc, char **argv) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        Watch watch = {};
        char *job = NULL, *path = NULL;
        uint64_t start, replied;
        int r;

        if (argc != 3 && argc != 4) {
                fprintf(stderr, "usage: bus-migrate UUID HOST [MIGRATIONTYPE]\n");
                return 2;
        }

        if (asprintf(&path, ROOT "/system/%s", argv[1]) < 0)
                return EXIT_FAILURE;
        for (char *c = path; *c; c++)
                if (*c == '-')
                        *c = '_';

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, NAME, NULL, "org.freedesktop.DBus.Properties",
                                        "PropertiesChanged", on_changed, &watch);
        if (r < 0)
                return die("the system bus", NULL, r);

        start = now_usec();
        r = sd_bus_call_method(bus, NAME, ROOT, NAME, "MigrateVirtualSystemToHost", &error, &reply,
                               "osa{sv}a{sv}aa{sv}", path, argv[2], 1, "MigrationType", "q",
                               argc > 3 ? atoi(argv[3]) : TYPE_LIVE, 0, 0);
        replied = now_usec();
        if (r >= 0)
                r = sd_bus_message_read(reply, "uo", NULL, &job);
        if (r < 0)
                return die("MigrateVirtualSystemToHost", &error, r);

        /* what came before the reply waits in the queue */
        watch.job = job;
        while (watch.ended == 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return die("waiting", NULL, r);
        }

        printf("%llu %llu\n", (unsigned long long) (replied - start), (unsigned long long) (watch.ended - start));
        if (watch.state != STATE_COMPLETED)
                fprintf(stderr, "the job ended in state %u\n", watch.state);

        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        free(path);
        return watch.state == STATE_COMPLETED ? EXIT_SUCCESS : EXIT_FAILURE;
}
