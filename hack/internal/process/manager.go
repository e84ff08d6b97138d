package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Spec is a program to run.
type Spec struct {
	// Name is the name of the pid file and the log file.
	Name string
	// Path is the path of the program; its base name becomes argv[0].
	Path string
	// Args are the arguments after argv[0].
	Args []string
	// Env is added to PATH and HOME, the only variables that a process inherits.
	Env []string
}

// Manager starts processes and keeps their pid files.
type Manager struct {
	PidDir string
	LogDir string
	Proc   Procfs
	// Adopt is called with every new pid before Start returns; it moves the process to its control group.
	Adopt func(pid int) error
}

// Running is a process that this program has started.
type Running struct {
	Name string
	Log  string
	// Exited is closed when the process has exited; Err is valid from then on.
	Exited chan struct{}
	Err    error
}

// Start runs the program in its own session with output to its log file, and writes its pid file.
func (m Manager) Start(s Spec) (*Running, error) {
	log, err := os.Create(filepath.Join(m.LogDir, s.Name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}, s.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	if err := m.register(s.Name, cmd.Process.Pid); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot register %s: %w", s.Name, err), cmd.Process.Kill())
	}
	r := &Running{Name: s.Name, Log: log.Name(), Exited: make(chan struct{})}
	go func() {
		r.Err = cmd.Wait()
		close(r.Exited)
	}()
	return r, nil
}

func (m Manager) register(name string, pid int) error {
	id, err := m.Proc.Identify(pid)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.pidFile(name), []byte(id.String()), 0o644); err != nil {
		return err
	}
	return m.Adopt(pid)
}

func (m Manager) pidFile(name string) string { return filepath.Join(m.PidDir, name+".pid") }

// Find returns the identity of the named process if its pid file is valid and the process is running.
func (m Manager) Find(name string) (Identity, bool) {
	content, err := os.ReadFile(m.pidFile(name))
	if err != nil {
		return Identity{}, false
	}
	id, err := ParseIdentity(string(content))
	if err != nil {
		return Identity{}, false
	}
	return id, m.Proc.Alive(id)
}

// Names returns the sorted names of all pid files, including those of stopped processes.
func (m Manager) Names() ([]string, error) {
	entries, err := os.ReadDir(m.PidDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".pid"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// Failure returns an error with the reason and the end of the log of a process that exited unexpectedly.
func (r *Running) Failure() error {
	content, _ := os.ReadFile(r.Log)
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	end := strings.Join(lines[max(0, len(lines)-15):], "\n")
	if r.Err == nil {
		return fmt.Errorf("%s exited unexpectedly; the end of %s:\n%s", r.Name, r.Log, end)
	}
	return fmt.Errorf("%s exited: %w; the end of %s:\n%s", r.Name, r.Err, r.Log, end)
}

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
	end := bytes.LastIndex(stat, []byte(") "))
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 20 {
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
