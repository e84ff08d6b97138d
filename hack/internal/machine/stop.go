package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

// removalLimit is how long killed processes may take to end.
const removalLimit = 15 * time.Second

// Reboot kills everything on a machine and starts it again. It keeps number, disk and routes to the host, and loses what is in memory: processes,
// namespaces, mounts and the folder /run.
func (h *Host) Reboot(ctx context.Context, name string) (Machine, error) {
	m, err := h.Find(name)
	if err != nil {
		return m, err
	}
	if err := h.halt(ctx, m); err != nil {
		return m, err
	}
	for _, volatile := range []string{m.join("run"), m.join("pid"), m.join(readyFile)} {
		if err := os.RemoveAll(volatile); err != nil {
			return m, err
		}
	}
	if err := os.MkdirAll(m.join("run"), 0o755); err != nil {
		return m, err
	}
	if err := h.group(name).Create(); err != nil {
		return m, err
	}
	if err := h.boot(ctx, &m); err != nil {
		return m, fmt.Errorf("machine %s cannot be started again: %w", name, err)
	}
	return m, h.Join(m)
}

// halt kills everything on a machine and removes its link and control groups.
func (h *Host) halt(ctx context.Context, m Machine) error {
	err := errors.Join(
		retry.Until(ctx, removalLimit, interval, func(context.Context) error { return h.kill(m.Name) }),
		unlink(m),
		retry.Until(ctx, removalLimit, interval, func(context.Context) error { return h.group(m.Name).Remove() }),
	)
	if err != nil {
		return fmt.Errorf("machine %s cannot be stopped: %w", m.Name, err)
	}
	return nil
}

// Stop kills everything on a machine and removes it, or what is left of it. The kernel settings of the host are restored with the last one.
func (h *Host) Stop(ctx context.Context, name string) error {
	if err := h.halt(ctx, h.read(name)); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(h.Dir, name)); err != nil {
		return err
	}
	return h.restore()
}

// restore restores the kernel settings if no machine is left.
func (h *Host) restore() error {
	if all, err := h.List(); err != nil || len(all) > 0 {
		return err
	}
	if err := h.Sysctls.Restore(); err != nil {
		return err
	}
	return os.RemoveAll(h.Dir)
}

// kill ends all processes in the control groups of a machine. It fails until they have ended.
func (h *Host) kill(name string) error {
	pids, err := h.group(name).Pids()
	if err != nil {
		return err
	}
	pids = slices.DeleteFunc(pids, func(pid int) bool { _, err := h.Proc.Identify(pid); return err != nil })
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot kill process %d: %w", pid, err)
		}
	}
	if len(pids) > 0 {
		return fmt.Errorf("%d processes have not ended, the first is %d", len(pids), pids[0])
	}
	return nil
}

// Leftovers returns names of what belongs to no running machine: folders, control groups and links.
func (h *Host) Leftovers() ([]string, error) {
	all, err := h.List()
	if err != nil {
		return nil, err
	}
	var left []string
	runs := func(matches func(Machine) bool) bool {
		return slices.ContainsFunc(all, func(m Machine) bool { return m.Pid != 0 && matches(m) })
	}
	for _, m := range all {
		if m.Pid == 0 {
			left = append(left, "machine "+m.Name)
		}
	}
	for _, name := range h.groups() {
		if !runs(func(m Machine) bool { return m.Name == name }) {
			left = append(left, "control group of "+name)
		}
	}
	numbers, err := links()
	for _, n := range numbers {
		if !runs(func(m Machine) bool { return m.Number == n }) {
			left = append(left, "link "+Machine{Number: n}.linkName())
		}
	}
	return left, err
}

// groups returns the names of machines with control groups.
func (h *Host) groups() []string {
	var names []string
	for _, hierarchy := range h.Hierarchies {
		found, _ := filepath.Glob(filepath.Join(hierarchy.Mount, groupPrefix+"*")) // the pattern is valid
		for _, folder := range found {
			names = append(names, strings.TrimPrefix(filepath.Base(folder), groupPrefix))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// StopAll removes all machines, and what is left of earlier ones.
func (h *Host) StopAll(ctx context.Context) error {
	all, err := h.List()
	if err != nil {
		return err
	}
	names := h.groups()
	for _, m := range all {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		err = errors.Join(err, h.Stop(ctx, name))
	}
	numbers, failed := links()
	for _, n := range numbers {
		failed = errors.Join(failed, unlink(Machine{Number: n}))
	}
	return errors.Join(err, failed)
}
