package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Stat is what the kernel says about one process; PID together with StartTicks names it for as long as the machine is
// up, whatever happens to its number afterwards.
type Stat struct {
	PID        int
	StartTicks uint64 // clock ticks from boot to the start of the process
	Zombie     bool
	Args       []string
}

// ReadStat looks a process up in /proc. The error wraps fs.ErrNotExist when there is none.
func ReadStat(pid int) (Stat, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, fmt.Errorf("reading process %d: %w", pid, err)
	}
	stat, err := parseStat(pid, line)
	if err != nil {
		return Stat{}, err
	}
	// A zombie has no arguments any more, and a process may end between the two reads: both leave Args empty.
	if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(args) > 0 {
		stat.Args = strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
	}
	return stat, nil
}

// parseStat reads fields 3 (state) and 22 (starttime) of proc_pid_stat(5). The second field is the file name in
// parentheses and may itself hold blanks and parentheses, so counting starts after the last one.
func parseStat(pid int, line []byte) (Stat, error) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return Stat{}, fmt.Errorf("reading process %d: no command in %q", pid, line)
	}
	fields := bytes.Fields(line[end+1:])
	const state, start = 0, 22 - 3
	if len(fields) <= start {
		return Stat{}, fmt.Errorf("reading process %d: %d fields are too few", pid, len(fields))
	}
	ticks, err := strconv.ParseUint(string(fields[start]), 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("reading process %d: start time: %w", pid, err)
	}
	return Stat{PID: pid, StartTicks: ticks, Zombie: string(fields[state]) == "Z"}, nil
}

// All lists the processes of the machine.
func All() ([]Stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var all []Stat
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process may end while the list is read.
		if stat, err := ReadStat(pid); err == nil && !stat.Zombie {
			all = append(all, stat)
		}
	}
	return all, nil
}
