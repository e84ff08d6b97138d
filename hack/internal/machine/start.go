package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

const (
	// startLimit is how long the first process may take to prepare the machine, and interval how often it is looked for.
	startLimit, interval = 10 * time.Second, 20 * time.Millisecond
	// readyFile exists once the machine is prepared.
	readyFile = "ready"
)

// LaunchCommand and InitCommand are the arguments with which Start runs this program again, followed by the folder of the machine.
func LaunchCommand() []string { return []string{"machine", "launch"} }

// InitCommand are the arguments of the first process of a machine.
func InitCommand() []string { return []string{"machine", "init"} }

// Start starts a machine and connects it with the host. It does nothing if the machine runs. Leftovers of an earlier one of that name are removed.
func (h *Host) Start(ctx context.Context, name string) (Machine, error) {
	if !namePattern.MatchString(name) || name == HostName {
		return Machine{}, fmt.Errorf("%q cannot be the name of a machine: use up to ten lower-case letters, digits and dashes, and not %q", name, HostName)
	}
	if m, err := h.Find(name); err == nil {
		return m, nil
	}
	if err := h.Stop(ctx, name); err != nil {
		return Machine{}, err
	}
	m, err := h.create(name)
	if err != nil {
		return m, err
	}
	if err := h.boot(ctx, &m); err != nil {
		return m, errors.Join(fmt.Errorf("machine %s cannot be started: %w", name, err), h.Stop(ctx, name))
	}
	return m, nil
}

// create makes the folders and control groups of a machine.
func (h *Host) create(name string) (Machine, error) {
	all, err := h.List()
	if err != nil {
		return Machine{}, err
	}
	m := Machine{Name: name, dir: filepath.Join(h.Dir, name)}
	if m.Number, err = freeNumber(all); err != nil {
		return m, err
	}
	for _, dir := range m.privateFolders() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return m, err
		}
	}
	if err := os.WriteFile(m.join("number"), []byte(strconv.Itoa(m.Number)+"\n"), 0o644); err != nil {
		return m, err
	}
	// The settings of bridges exist once the module is loaded. Many kernels have it built in.
	_ = exec.Command("modprobe", "--quiet", "--all", "br_netfilter", "overlay").Run()
	if err := h.Sysctls.Apply(); err != nil {
		return m, err
	}
	// A link of that number belongs to a machine whose folder is lost.
	return m, errors.Join(unlink(m), h.group(name).Create())
}

// boot starts the first process and connects its network.
func (h *Host) boot(ctx context.Context, m *Machine) error {
	log, err := os.Create(m.join("init.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	launch := exec.CommandContext(ctx, "/proc/self/exe", append(LaunchCommand(), m.dir)...)
	launch.Stderr = log
	printed, err := launch.Output()
	if err != nil {
		return withLog(err, log.Name())
	}
	if m.Pid, err = strconv.Atoi(strings.TrimSpace(string(printed))); err != nil {
		return err
	}
	id, err := h.Proc.Identify(m.Pid)
	if err != nil {
		return withLog(err, log.Name())
	}
	if err := os.WriteFile(m.join("pid"), []byte(id.String()), 0o644); err != nil {
		return err
	}
	err = retry.Until(ctx, startLimit, interval, func(context.Context) error {
		_, err := os.Stat(m.join(readyFile))
		return err
	})
	if err != nil {
		return withLog(err, log.Name())
	}
	return link(*m)
}

// withLog adds what the first process has written.
func withLog(err error, file string) error {
	text, _ := os.ReadFile(file)
	return fmt.Errorf("%w; its first process wrote: %q", err, strings.TrimSpace(string(text)))
}

// Launch moves this process into the control groups of a machine and starts the machine's first process from there: the groups where a process is created
// become the roots that it sees. It returns the identifier of that process.
func (h *Host) Launch(dir string) (pid int, err error) {
	if err := h.group(filepath.Base(dir)).Add(os.Getpid()); err != nil {
		return 0, err
	}
	first := exec.Command("/proc/self/exe", append(InitCommand(), dir)...)
	first.Dir, first.Stderr = "/", os.Stderr
	first.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}
	const namespaces = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID | syscall.CLONE_NEWCGROUP
	first.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaces}
	if err := first.Start(); err != nil {
		return 0, err
	}
	return first.Process.Pid, nil
}
