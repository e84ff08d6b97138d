package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// requiredSettings returns the kernel settings that the cluster needs. The bridge settings pass packets between pods of
// the bridge through the packet filter, where Services are translated.
func requiredSettings() map[string]string {
	return map[string]string{
		"net/ipv4/ip_forward":                 "1",
		"net/ipv6/conf/all/forwarding":        "1",
		"net/bridge/bridge-nf-call-iptables":  "1",
		"net/bridge/bridge-nf-call-ip6tables": "1",
		"fs/inotify/max_user_instances":       "8192",
	}
}

// changedByKubelet returns the settings that the kubelet changes when it starts.
func changedByKubelet() []string {
	return []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	}
}

// Sysctls changes and restores kernel settings.
type Sysctls struct {
	// Root is the folder of the settings, /proc/sys outside tests.
	Root string
	// Record is the file with the earlier values.
	Record string
}

// Apply records the values of all settings that the cluster or the kubelet changes, then sets the required ones. An
// existing record is kept, because it has the values from before the cluster.
func (s Sysctls) Apply() error {
	if _, err := os.Stat(s.Record); errors.Is(err, fs.ErrNotExist) {
		if err := s.recordValues(); err != nil {
			return err
		}
	}
	for name, value := range requiredSettings() {
		if err := s.write(name, value); err != nil {
			return fmt.Errorf("cannot set the kernel setting %s to %s (is the module loaded?): %w", name, value, err)
		}
	}
	return nil
}

func (s Sysctls) recordValues() error {
	before := map[string]string{}
	for _, name := range append(slices.Sorted(maps.Keys(requiredSettings())), changedByKubelet()...) {
		if value, err := os.ReadFile(filepath.Join(s.Root, name)); err == nil {
			before[name] = strings.TrimSpace(string(value))
		}
	}
	content, err := json.MarshalIndent(before, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.Record, append(content, '\n'), 0o644)
}

// Restore restores the recorded values. Without a record it does nothing.
func (s Sysctls) Restore() error {
	content, err := os.ReadFile(s.Record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var before map[string]string
	if err := json.Unmarshal(content, &before); err != nil {
		return fmt.Errorf("%s is damaged, kernel settings are not restored: %w", s.Record, err)
	}
	var failed error
	for _, name := range slices.Sorted(maps.Keys(before)) {
		failed = errors.Join(failed, s.write(name, before[name]))
	}
	return failed
}

func (s Sysctls) write(name, value string) error {
	file := filepath.Join(s.Root, name)
	now, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(now)) == value {
		return nil
	}
	return os.WriteFile(file, []byte(value), 0o644)
}
