package host

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// mntDetach is MNT_DETACH of umount2(2): it takes a mount out of the tree although something still uses it.
const mntDetach = 2

// mount is one line of /proc/self/mountinfo.
type mount struct {
	point  string
	fsType string
}

func mounts() ([]mount, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	return parseMountinfo(string(data)), nil
}

func parseMountinfo(data string) []mount {
	var all []mount
	for line := range strings.Lines(data) {
		before, after, found := strings.Cut(line, " - ")
		fields, tail := strings.Fields(before), strings.Fields(after)
		const point = 4
		if !found || len(fields) <= point || len(tail) == 0 {
			continue
		}
		all = append(all, mount{point: unescape(fields[point]), fsType: tail[0]})
	}
	return all
}

// unescape undoes the octal escapes of proc_pid_mountinfo(5).
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func mountsBelow(dirs ...string) ([]string, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	var below []string
	for _, m := range all {
		if slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(m.point, dir+"/") }) {
			below = append(below, m.point)
		}
	}
	return below, nil
}

// Unmount unmounts everything below the directories, the latest mount first.
func Unmount(dirs ...string) error {
	points, err := mountsBelow(dirs...)
	if err != nil {
		return err
	}
	for _, point := range slices.Backward(points) {
		err := syscall.Unmount(point, 0)
		if errors.Is(err, syscall.EBUSY) {
			err = syscall.Unmount(point, mntDetach)
		}
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("unmounting %s: %w", point, err)
		}
	}
	return nil
}

// RemoveTree removes a directory, and refuses to while anything is mounted below it: a volume may be a directory of the
// host, whose files are not ours to delete.
func RemoveTree(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	if len(points) > 0 {
		return fmt.Errorf("removing %s: still mounted below it: %s; unmount it and try again", dir, strings.Join(points, ", "))
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return nil
}
