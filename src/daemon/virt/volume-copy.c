/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A volume's content from one host to another through this process: libvirt's streams, with holes. */

#include <string.h>

#include "daemon/virt/patience.h"
#include "daemon/virt/volume-copy.h"
#include "daemon/virt/volume.h"
#include "shared/error.h"

#define PIECE (256 * 1024 - 2048) /* what libvirt puts into one message for old peers */

typedef struct Copy {
        virStreamPtr from, to;
        bool holes; /* the other end makes holes; else they are written as zeroes */
        char *buffer;
        uint64_t done;
        const VsmCopyHooks *hooks;
        uint64_t limit, paced; /* bytes/s, and bytes that were read under it */
        int64_t since;         /* when it began to hold */
        const char *path, *to_path;
} Copy;

static bool fail_read(const Copy *copy, GError **error) {
        vsm_virt_error(error, "Cannot read the volume '%s'", copy->path);
        return false;
}

static bool fail_write(const Copy *copy, GError **error) {
        vsm_virt_error(error, "Cannot write to the volume '%s'", copy->to_path);
        return false;
}

static bool write_all(const Copy *copy, const char *data, size_t size, GError **error) {
        while (size > 0) {
                int n = virStreamSend(copy->to, data, size);

                if (n < 0)
                        return fail_write(copy, error);
                data += n;
                size -= (size_t) n;
        }

        return true;
}

static bool copy_hole(Copy *copy, GError **error) {
        long long size = 0;

        if (virStreamRecvHole(copy->from, &size, 0) < 0 || size < 0)
                return fail_read(copy, error);

        if (virStreamSendHole(copy->to, size, 0) < 0)
                return fail_write(copy, error);

        copy->done += (uint64_t) size;
        return true;
}

/* Sleeps until n more bytes are due. Holes cost nothing. A limit that changes counts from then on. */
static void keep_pace(Copy *copy, size_t n, VsmCancel *cancel) {
        uint64_t limit = copy->hooks->limit ? copy->hooks->limit(copy->hooks->userdata) : 0;
        int64_t due;

        if (limit != copy->limit) {
                copy->limit = limit;
                copy->since = g_get_monotonic_time();
                copy->paced = 0;
        }

        if (limit == 0)
                return;

        copy->paced += n;
        due = copy->since + (int64_t) ((double) copy->paced / (double) limit * G_USEC_PER_SEC);
        if (due > g_get_monotonic_time())
                (void) vsm_wait_sleep((uint64_t) (due - g_get_monotonic_time()), cancel);
}

static bool copy_all(Copy *copy, VsmCancel *cancel, GError **error) {
        for (;;) {
                int n;

                if (vsm_cancel_fired(cancel)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_CANCELLED,
                                    "The copying of '%s' was cancelled", copy->path);
                        return false;
                }

                n = copy->holes ? virStreamRecvFlags(copy->from, copy->buffer, PIECE,
                                                     VIR_STREAM_RECV_STOP_AT_HOLE)
                                : virStreamRecv(copy->from, copy->buffer, PIECE);
                if (n == 0)
                        return true;

                if (n == -3) {
                        if (!copy_hole(copy, error))
                                return false;
                } else if (n < 0)
                        return fail_read(copy, error);
                else {
                        if (!write_all(copy, copy->buffer, (size_t) n, error))
                                return false;
                        copy->done += (uint64_t) n;
                        keep_pace(copy, (size_t) n, cancel);
                }

                if (copy->hooks->progress)
                        copy->hooks->progress(copy->done, copy->hooks->userdata);
        }
}

/* Only after this is all of it on the other side: errors of the last pieces are told here. */
static bool finish(Copy *copy, GError **error) {
        virStreamPtr from = g_steal_pointer(&copy->from), to = g_steal_pointer(&copy->to);
        bool ok = true;

        if (virStreamFinish(from) < 0)
                ok = fail_read(copy, error);
        if (ok && virStreamFinish(to) < 0)
                ok = fail_write(copy, error);
        else if (!ok)
                (void) virStreamAbort(to);

        virStreamFree(from);
        virStreamFree(to);
        return ok;
}

static void copy_clear(Copy *copy) {
        if (copy->from) {
                (void) virStreamAbort(copy->from);
                virStreamFree(copy->from);
        }
        if (copy->to) {
                (void) virStreamAbort(copy->to);
                virStreamFree(copy->to);
        }
        g_free(copy->buffer);
}

static bool start(Copy *copy, virStorageVolPtr from, virStorageVolPtr to, GError **error) {
        unsigned sparse_from = copy->holes ? VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM : 0;
        unsigned sparse_to = copy->holes ? VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM : 0;
        virStreamPtr stream;

        stream = virStreamNew(virStorageVolGetConnect(from), 0);
        if (!stream || virStorageVolDownload(from, stream, 0, 0, sparse_from) < 0) {
                fail_read(copy, error);
                if (stream)
                        virStreamFree(stream);
                return false;
        }
        copy->from = stream;

        stream = virStreamNew(virStorageVolGetConnect(to), 0);
        if (!stream || virStorageVolUpload(to, stream, 0, 0, sparse_to) < 0) {
                fail_write(copy, error);
                if (stream)
                        virStreamFree(stream);
                return false;
        }
        copy->to = stream;
        return true;
}

static virStorageVolPtr find(virConnectPtr connection, const char *path, bool *ret_file, GError **error) {
        g_autoptr(virStorageVol) volume = virStorageVolLookupByPath(connection, path);
        virStorageVolInfo info;

        if (!volume || virStorageVolGetInfo(volume, &info) < 0) {
                vsm_virt_error(error, "Cannot look up the volume '%s'", path);
                return NULL;
        }

        if (info.type != VIR_STORAGE_VOL_FILE && info.type != VIR_STORAGE_VOL_BLOCK) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "'%s' is neither a regular file nor a block device", path);
                return NULL;
        }

        *ret_file = info.type == VIR_STORAGE_VOL_FILE;
        return g_steal_pointer(&volume);
}

bool vsm_volume_copy(virConnectPtr from, const char *path, virConnectPtr to, const char *to_path,
                     const VsmCopyHooks *hooks, VsmCancel *cancel, GError **error) {
        bool is_file, to_is_file;
        g_autoptr(virStorageVol) source = find(from, path, &is_file, error);
        g_autoptr(virStorageVol) target = source ? find(to, to_path, &to_is_file, error) : NULL;
        Copy copy = {.hooks = hooks, .path = path, .to_path = to_path};
        bool ok;

        if (!target)
                return false;

        /* A new file reads as zeroes where nothing is written; what was in a block device before stays. */
        copy.holes = to_is_file;
        copy.buffer = g_malloc(PIECE);

        ok = start(&copy, source, target, error) && copy_all(&copy, cancel, error) && finish(&copy, error);
        copy_clear(&copy);
        if (!ok)
                return false;

        /* what it says of itself (format, what it is based on) is inside, and libvirt reads it now */
        {
                g_autoptr(virStoragePool) pool = virStoragePoolLookupByVolume(target);

                if (pool)
                        (void) virStoragePoolRefresh(pool, 0);
        }

        return true;
}
