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

// patience is how long killed processes and their groups may take to vanish.
const patience = 15 * time.Second

// pids returns every live process of the cluster: those in its control group, and those whose pid files are right.
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
	// A process of a container may run this very program; it does not end itself.
	pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() || !m.lives(pid) })
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// lives reports that the process is not merely waiting for its parent to take note of its end.
func (m Machine) lives(pid int) bool {
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

// kill ends all processes at once. Nothing of them is kept, so none gets time to say goodbye; new ones that the dying start are
// found in the control group by the next round.
func (m Machine) kill(ctx context.Context) error {
	return until(ctx, func() error {
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

// until repeats f until it succeeds, and returns its last error when patience ends.
func until(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
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
