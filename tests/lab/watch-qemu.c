/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* watch-qemu LAB-DIR LOG: looks from outside at the QEMU processes of all hosts of a lab, and tells
 * whether a guest ever ran in two of them. It asks neither libvirt nor the service, only /proc.
 *
 * A window is 50 ms, with five looks in it. In a window a copy ran, if
 *   KVM: a vCPU thread was seen to sleep inside the system call KVM_RUN (an idle guest does; a stopped
 *        one waits at a futex instead), or was busy for 20 ms (a guest at work is hardly seen asleep);
 *   TCG: a vCPU thread used 0.1 ms (halted or stopped, both wait at a futex; but a stopped one uses
 *        nothing), and the copy is older than 300 ms.
 * Hand-over can fall into a window, and then both copies ran in it, one after the other. So a guest ran
 * twice only if two copies both ran in two windows in a row: then the second had begun before the first
 * had ended.
 *
 * Measured: the vCPU thread of a QEMU that waits for its guest to come uses 0.4 ms (TCG) or 1 to 2 ms
 * (KVM, nested) in the first 150 ms of its life, and then nothing at all; that of an idle guest uses 4 ms
 * and more a second. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 10000000
#define LOOKS 5
#define QEMUS_MAX 256
#define VCPUS_MAX 16
#define PIDS_MAX (1 << 22)
#define YOUNG_SCANS 100 /* a process may still become a QEMU for so long after its fork */
#define BUSY_KVM_NS 20000000
#define BUSY_TCG_NS 100000
#define GRACE_TCG 6 /* windows */
#define KVM_RUN_CALL "16 " /* ioctl on x86_64 */
#define KVM_RUN_COMMAND " 0xae80 "

typedef struct Vcpu {
        pid_t tid;
        uint64_t cpu_ns;
} Vcpu;

typedef struct Qemu {
        pid_t pid;
        char host, uuid[40];
        bool kvm, alive, in_run, ran, ran_before;
        unsigned n_vcpus, age;
        Vcpu vcpus[VCPUS_MAX];
        uint64_t used_ns;
} Qemu;

static struct {
        const char *dir;
        char cgroup[256]; /* of the lab, as a part of each of its processes' path */
        FILE *log;
        Qemu qemus[QEMUS_MAX];
        unsigned n_qemus, scan;
        uint64_t windows, overlap_ms;
        uint32_t first_seen[PIDS_MAX], last_seen[PIDS_MAX];
} watch;

/* What is told at the end, for each guest */
static struct Guest {
        char uuid[40], last_host;
        unsigned max_running, windows;
        uint64_t overlap_ms;
} guests[QEMUS_MAX];
static unsigned n_guests;

static volatile sig_atomic_t stop;

static void on_signal(int sig) {
        (void) sig;
        stop = 1;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
        struct timespec t;
        struct tm tm;
        char when[32];
        va_list ap;

        clock_gettime(CLOCK_REALTIME, &t);
        gmtime_r(&t.tv_sec, &tm);
        strftime(when, sizeof(when), "%T", &tm);

        fprintf(watch.log, "VSM-WATCH ");
        va_start(ap, format);
        vfprintf(watch.log, format, ap);
        va_end(ap);
        fprintf(watch.log, " at=%s.%03ld\n", when, t.tv_nsec / 1000000);
}

static ssize_t read_file(char *buf, size_t size, const char *format, ...) {
        char path[320];
        va_list ap;
        ssize_t n;
        int fd;

        va_start(ap, format);
        vsnprintf(path, sizeof(path), format, ap);
        va_end(ap);

        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        n = read(fd, buf, size - 1);
        close(fd);
        if (n < 0)
                return -errno;

        buf[n] = 0;
        return n;
}

/* "/<lab's cgroup>/A/payload/…": the letter, or 0 for a QEMU that is not one of this lab. Another lab's
 * name may begin like this one's. */
static char host_of(pid_t pid) {
        size_t n = strlen(watch.cgroup);
        char buf[4096];

        if (read_file(buf, sizeof(buf), "/proc/%d/cgroup", pid) < 0)
                return 0;

        for (char *p = buf; (p = strstr(p, watch.cgroup)); p += n)
                if (p[n] == '/')
                        return p[n + 1];

        return 0;
}

static const char *argument_after(const char *args, size_t n, const char *option) {
        for (const char *p = args; p < args + n; p += strlen(p) + 1)
                if (strcmp(p, option) == 0)
                        return p + strlen(p) + 1;

        return NULL;
}

static void find_vcpus(Qemu *q) {
        char path[64], comm[64];
        struct dirent *de;
        DIR *d;

        snprintf(path, sizeof(path), "/proc/%d/task", q->pid);
        d = opendir(path);
        if (!d)
                return;

        q->n_vcpus = 0;
        while ((de = readdir(d)) && q->n_vcpus < VCPUS_MAX)
                if (read_file(comm, sizeof(comm), "%s/%s/comm", path, de->d_name) > 0 &&
                    strncmp(comm, "CPU ", 4) == 0)
                        q->vcpus[q->n_vcpus++] = (Vcpu) { .tid = atoi(de->d_name) };

        closedir(d);
}

/* Not a QEMU of ours: false, may be asked again while the process is young. */
static bool add_qemu(pid_t pid) {
        static char args[65536];
        Qemu q = { .pid = pid, .alive = true };
        const char *uuid, *accel;
        char comm[64];
        ssize_t n;

        if (read_file(comm, sizeof(comm), "/proc/%d/comm", pid) < 0 || strncmp(comm, "qemu-", 5) != 0)
                return false;

        q.host = host_of(pid);
        n = read_file(args, sizeof(args), "/proc/%d/cmdline", pid);
        if (!q.host || n <= 0)
                return false;

        uuid = argument_after(args, (size_t) n, "-uuid");
        accel = argument_after(args, (size_t) n, "-accel");
        find_vcpus(&q);
        if (!uuid || q.n_vcpus == 0 || watch.n_qemus == QEMUS_MAX)
                return false; /* libvirt's probes have neither; a new one has no threads yet */

        snprintf(q.uuid, sizeof(q.uuid), "%s", uuid);
        q.kvm = accel && strncmp(accel, "kvm", 3) == 0;
        watch.qemus[watch.n_qemus++] = q;
        say("qemu uuid=%s host=%c pid=%d %s%s", q.uuid, q.host, pid, q.kvm ? "kvm" : "tcg",
            argument_after(args, (size_t) n, "-incoming") ? " incoming" : "");
        return true;
}

static bool known(pid_t pid) {
        for (unsigned i = 0; i < watch.n_qemus; i++)
                if (watch.qemus[i].pid == pid)
                        return true;

        return false;
}

/* Old processes that are no QEMU stay none, and cost nothing. */
static void scan(void) {
        struct dirent *de;
        DIR *d;

        d = opendir("/proc");
        if (!d)
                return;

        watch.scan++;
        while ((de = readdir(d))) {
                int pid = atoi(de->d_name);

                if (pid <= 0 || pid >= PIDS_MAX)
                        continue;

                if (watch.last_seen[pid] + 1 != watch.scan)
                        watch.first_seen[pid] = watch.scan;
                watch.last_seen[pid] = watch.scan;

                if (watch.scan - watch.first_seen[pid] < YOUNG_SCANS && !known(pid))
                        add_qemu(pid);
        }

        closedir(d);
}

static void look(Qemu *q) {
        char buf[256];

        for (unsigned i = 0; i < q->n_vcpus; i++) {
                Vcpu *v = q->vcpus + i;
                uint64_t ns;

                if (read_file(buf, sizeof(buf), "/proc/%d/task/%d/schedstat", q->pid, v->tid) <= 0) {
                        q->alive = false;
                        return;
                }

                ns = strtoull(buf, NULL, 10);
                if (v->cpu_ns > 0)
                        q->used_ns += ns - v->cpu_ns;
                v->cpu_ns = ns;

                if (q->kvm && read_file(buf, sizeof(buf), "/proc/%d/task/%d/syscall", q->pid, v->tid) > 0 &&
                    strncmp(buf, KVM_RUN_CALL, strlen(KVM_RUN_CALL)) == 0 && strstr(buf, KVM_RUN_COMMAND))
                        q->in_run = true;
        }
}

static struct Guest *guest_of(const char *uuid) {
        for (unsigned i = 0; i < n_guests; i++)
                if (strcmp(guests[i].uuid, uuid) == 0)
                        return guests + i;

        if (n_guests == QEMUS_MAX)
                return guests;

        strcpy(guests[n_guests].uuid, uuid);
        return guests + n_guests++;
}

/* Two copies that both ran in this window and the one before */
static void judge_guest(struct Guest *g) {
        unsigned now = 0, twice = 0;
        char who[64] = "", host = 0;

        for (unsigned i = 0; i < watch.n_qemus; i++) {
                const Qemu *q = watch.qemus + i;

                if (strcmp(q->uuid, g->uuid) != 0 || !q->ran)
                        continue;

                now++;
                host = q->host;
                if (q->ran_before) {
                        twice++;
                        snprintf(who + strlen(who), sizeof(who) - strlen(who), " %c:%d", q->host, q->pid);
                }
        }

        if (now > 0)
                g->windows++;
        if (now == 1 && host != g->last_host) {
                say("runs uuid=%s host=%c", g->uuid, host);
                g->last_host = host;
        }
        if (now > 0 && g->max_running == 0)
                g->max_running = 1;
        if (twice < 2)
                return;

        if (twice > g->max_running)
                g->max_running = twice;
        g->overlap_ms += LOOK_NS / 1000000 * LOOKS;
        say("TWICE uuid=%s in%s", g->uuid, who);
}

static void judge(void) {
        unsigned alive = 0;

        watch.windows++;
        for (unsigned i = 0; i < watch.n_qemus; i++) {
                Qemu *q = watch.qemus + i;

                q->ran_before = q->ran;
                q->age++;
                q->ran = q->kvm ? q->in_run || q->used_ns >= BUSY_KVM_NS
                                : q->used_ns >= BUSY_TCG_NS && q->age > GRACE_TCG;
                q->in_run = false;
                q->used_ns = 0;
                (void) guest_of(q->uuid);
        }

        for (unsigned i = 0; i < n_guests; i++)
                judge_guest(guests + i);

        for (unsigned i = 0; i < watch.n_qemus; i++)
                if (watch.qemus[i].alive)
                        watch.qemus[alive++] = watch.qemus[i];
                else
                        say("gone uuid=%s host=%c pid=%d", watch.qemus[i].uuid, watch.qemus[i].host,
                            watch.qemus[i].pid);

        watch.n_qemus = alive;
}

static int summary(void) {
        bool bad = false;

        for (unsigned i = 0; i < n_guests; i++) {
                fprintf(watch.log, "VSM-WATCH uuid=%s max_running=%u overlap_ms=%llu samples=%llu ran=%u\n",
                        guests[i].uuid, guests[i].max_running, (unsigned long long) guests[i].overlap_ms,
                        (unsigned long long) watch.windows * LOOKS, guests[i].windows * LOOKS);
                if (guests[i].overlap_ms > 0)
                        bad = true;
        }

        fprintf(watch.log, "VSM-WATCH %s guests=%u samples=%llu\n", bad ? "BAD" : "good", n_guests,
                (unsigned long long) watch.windows * LOOKS);
        return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool find_lab(void) {
        char buf[1024], *name;

        if (read_file(buf, sizeof(buf), "%s/cgroups", watch.dir) <= 0)
                return false;

        buf[strcspn(buf, "\n")] = 0;
        name = strrchr(buf, '/');
        if (!name)
                return false;

        snprintf(watch.cgroup, sizeof(watch.cgroup), "%s", name);
        return true;
}

int main(int argc, char *argv[]) {
        struct sigaction action = { .sa_handler = on_signal };
        struct timespec next;

        if (argc != 3) {
                fprintf(stderr, "watch-qemu LAB-DIR LOG\n");
                return 2;
        }

        /* a test that is killed leaves nobody behind who holds its output open */
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        watch.dir = argv[1];
        watch.log = fopen(argv[2], "we");
        if (!watch.log || !find_lab()) {
                fprintf(stderr, "watch-qemu: no lab in %s, or can not write %s\n", argv[1], argv[2]);
                return 2;
        }

        setvbuf(watch.log, NULL, _IOLBF, 0);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        say("started dir=%s", watch.dir);

        clock_gettime(CLOCK_MONOTONIC, &next);
        for (unsigned n = 1; !stop; n++) {
                for (unsigned i = 0; i < watch.n_qemus; i++)
                        look(watch.qemus + i);

                if (n % LOOKS == 0) {
                        judge();
                        scan();
                }

                next.tv_nsec += LOOK_NS;
                if (next.tv_nsec >= 1000000000) {
                        next.tv_sec++;
                        next.tv_nsec -= 1000000000;
                }
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }

        return summary();
}
