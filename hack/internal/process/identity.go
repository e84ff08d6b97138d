package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Identity identifies one process, even if its pid was or will be reused.
type Identity struct {
	Pid int
	// Start is the start time of the process, in clock ticks since boot (field 22 of /proc/PID/stat).
	Start uint64
	// Boot is the kernel's random id of this boot.
	Boot string
}

// String returns the content of a pid file.
func (i Identity) String() string { return fmt.Sprintf("%d %d %s\n", i.Pid, i.Start, i.Boot) }

// ParseIdentity parses the result of String.
func ParseIdentity(s string) (Identity, error) {
	var i Identity
	if n, err := fmt.Sscanf(s, "%d %d %s\n", &i.Pid, &i.Start, &i.Boot); n != 3 || err != nil {
		return Identity{}, fmt.Errorf("%q does not consist of a pid, a start time and a boot id", s)
	}
	if i.Pid <= 1 {
		return Identity{}, fmt.Errorf("%d is not a valid pid", i.Pid)
	}
	return i, nil
}

// Procfs is the mount point of the proc file system, "/proc" outside tests.
type Procfs string

// Identify returns the identity of the live process with the pid. A zombie counts as dead.
func (p Procfs) Identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(filepath.Join(string(p), strconv.Itoa(pid), "stat"))
	if err != nil {
		return Identity{}, err
	}
	// The program's name in parentheses may contain any character, so fields are counted from the last parenthesis.
	_, rest, ok := cutLast(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return Identity{}, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return Identity{}, os.ErrProcessDone
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return Identity{}, fmt.Errorf("/proc/%d/stat has an unknown form: %w", pid, err)
	}
	boot, err := os.ReadFile(filepath.Join(string(p), "sys/kernel/random/boot_id"))
	if err != nil {
		return Identity{}, err
	}
	return Identity{Pid: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, nil
}

// Alive reports whether exactly this process is running.
func (p Procfs) Alive(i Identity) bool {
	now, err := p.Identify(i.Pid)
	return err == nil && now == i
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}
