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
	// Other is the record of another user of the same settings, or empty. While it exists, its values are the earlier ones, and nothing is restored.
	Other string
	// OwnOnly limits the settings to those of a network namespace: the others belong to the host of the machine.
	OwnOnly bool
}

// has reports whether a setting is one of these.
func (s Sysctls) has(name string) bool { return !s.OwnOnly || strings.HasPrefix(name, "net/") }

// Apply records the values of all settings that the cluster or the kubelet changes, then sets the required ones. An
// existing record is kept, because it has the values from before the cluster.
func (s Sysctls) Apply() error {
	if _, err := os.Stat(s.Record); errors.Is(err, fs.ErrNotExist) {
		if err := s.recordValues(); err != nil {
			return err
		}
	}
	for name, value := range requiredSettings() {
		if !s.has(name) {
			continue
		}
		if err := s.write(name, value); err != nil {
			return fmt.Errorf("cannot set the kernel setting %s to %s (is the module loaded?): %w", name, value, err)
		}
	}
	return nil
}

func (s Sysctls) recordValues() error {
	before := map[string]string{}
	for _, name := range append(slices.Sorted(maps.Keys(requiredSettings())), changedByKubelet()...) {
		if value, err := os.ReadFile(filepath.Join(s.Root, name)); err == nil && s.has(name) {
			before[name] = strings.TrimSpace(string(value))
		}
	}
	earlier, err := readRecord(s.Other)
	if err != nil {
		return err
	}
	maps.Copy(before, earlier)
	content, err := json.MarshalIndent(before, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.Record, append(content, '\n'), 0o644)
}

// readRecord returns the values of a record, none if there is no such file.
func readRecord(file string) (map[string]string, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var before map[string]string
	if err := json.Unmarshal(content, &before); err != nil {
		return nil, fmt.Errorf("%s is damaged, kernel settings are not restored: %w", file, err)
	}
	return before, nil
}

// Restore restores the recorded values, unless another user needs the settings. Without a record it does nothing.
func (s Sysctls) Restore() error {
	if _, err := os.Stat(s.Other); err == nil {
		return nil
	}
	before, err := readRecord(s.Record)
	if err != nil {
		return err
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
