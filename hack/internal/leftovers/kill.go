package leftovers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// removalTimeout is the time limit for killed processes and their groups to disappear.
const removalTimeout = 15 * time.Second

// pids returns every live process of the cluster: those in its control group, and those with a valid pid file.
func (m Machine) pids() ([]int, error) {
	pids, err := m.Group.Pids()
	if err != nil {
		return nil, err
	}
	names, err := m.Processes.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if id, alive := m.Processes.Find(name); alive {
			pids = append(pids, id.Pid)
		}
	}
	// This program may itself run in a container of the cluster; it must not kill itself.
	pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() || !m.isRunning(pid) })
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// isRunning reports whether the process exists and is not a zombie.
func (m Machine) isRunning(pid int) bool {
	_, err := m.Processes.Proc.Identify(pid)
	return err == nil
}

func (m Machine) processes(context.Context) ([]string, error) {
	pids, err := m.pids()
	var names []string
	for _, pid := range pids {
		comm, _ := os.ReadFile(filepath.Join(string(m.Processes.Proc), strconv.Itoa(pid), "comm"))
		names = append(names, fmt.Sprintf("%d (%s)", pid, strings.TrimSpace(string(comm))))
	}
	return names, err
}

// kill sends SIGKILL to all processes, repeatedly: processes started in the meantime are in the control group. Their
// state is discarded, so there is no grace period.
func (m Machine) kill(ctx context.Context) error {
	return retry(ctx, func() error {
		pids, err := m.pids()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("cannot kill process %d: %w", pid, err)
			}
		}
		if len(pids) > 0 {
			return fmt.Errorf("%d processes have not ended, the first is %d", len(pids), pids[0])
		}
		return nil
	})
}

// retry repeats f until it succeeds, and returns its last error after removalTimeout.
func retry(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
