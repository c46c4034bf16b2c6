package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// CgroupRoot is the control group of all pods, so that what runs in them can be told from everything else on the machine.
const CgroupRoot = "/nexus-cluster"

// cgroupDirs are the directories of CgroupRoot: one in the unified hierarchy, or one for each controller before that.
func cgroupDirs() (dirs []string, err error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if (m.fsType == "cgroup" || m.fsType == "cgroup2") && strings.HasPrefix(m.point, "/sys/fs/cgroup") {
			dirs = append(dirs, m.point+CgroupRoot)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

// EnsureCgroups makes CgroupRoot: the kubelet requires its root group to exist.
func EnsureCgroups() error {
	dirs, err := cgroupDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("creating a control group: %w", err)
		}
		// In the unified hierarchy a group has only the controllers that the group above hands down. Some cannot be had on
		// some machines; the kubelet says so if it needs one of them.
		for _, controller := range []string{"cpu", "cpuset", "io", "memory", "pids"} {
			control := filepath.Join(filepath.Dir(dir), "cgroup.subtree_control")
			if exists(control) {
				_ = os.WriteFile(control, []byte("+"+controller), 0)
			}
		}
	}
	return nil
}

// KillPods kills every process in CgroupRoot and says how many there were. A process that forks meanwhile is found by the
// next look, so it looks until nobody is left.
func KillPods() (int, error) {
	dirs, err := cgroupDirs()
	if err != nil {
		return 0, err
	}
	killed := map[int]bool{}
	const rounds = 50
	for range rounds {
		left := 0
		for _, dir := range dirs {
			for _, pid := range groupProcs(dir) {
				if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
					left++
					killed[pid] = true
				}
			}
		}
		if left == 0 {
			return len(killed), nil
		}
		waitABit()
	}
	return len(killed), fmt.Errorf("killing pods: processes are left in the control group %s", CgroupRoot)
}

// groupProcs lists the processes in a control group and those below it, without zombies, which nobody can kill.
func groupProcs(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil //nolint:nilerr // the group went away meanwhile
		}
		data, _ := os.ReadFile(path)
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 && !isZombie(pid) {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// RemoveCgroups removes CgroupRoot and all below it, the innermost first.
func RemoveCgroups() error {
	dirs, err := cgroupDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		var groups []string
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for _, group := range slices.Backward(groups) {
			if err := removeGroup(group); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeGroup tries again for a moment: a group stays busy until its last zombie is reaped.
func removeGroup(group string) error {
	const attempts = 50
	var err error
	for range attempts {
		err = syscall.Rmdir(group)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		waitABit()
	}
	return fmt.Errorf("removing control group %s: %w", group, err)
}
