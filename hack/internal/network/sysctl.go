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

// wanted are the kernel settings the cluster needs. The bridge ones make packets between two pods of the bridge pass the
// machine's packet filter, where Services are translated.
func wanted() map[string]string {
	return map[string]string{
		"net/ipv4/ip_forward":                 "1",
		"net/ipv6/conf/all/forwarding":        "1",
		"net/bridge/bridge-nf-call-iptables":  "1",
		"net/bridge/bridge-nf-call-ip6tables": "1",
		"fs/inotify/max_user_instances":       "8192",
	}
}

// changedByKubelet are the settings that the kubelet sets when it starts.
func changedByKubelet() []string {
	return []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	}
}

// Sysctls changes kernel settings and puts them back.
type Sysctls struct {
	// Root is /proc/sys outside tests.
	Root string
	// Record is the file that keeps the former values.
	Record string
}

// Apply records the values of all settings that the cluster changes, its own and the kubelet's, then sets its own. A record that
// is already there holds the values from before the cluster and is kept.
func (s Sysctls) Apply() error {
	if _, err := os.Stat(s.Record); errors.Is(err, fs.ErrNotExist) {
		if err := s.record(); err != nil {
			return err
		}
	}
	for name, value := range wanted() {
		if err := s.write(name, value); err != nil {
			return fmt.Errorf("cannot set the kernel setting %s to %s (is the module loaded?): %w", name, value, err)
		}
	}
	return nil
}

func (s Sysctls) record() error {
	before := map[string]string{}
	for _, name := range append(slices.Sorted(maps.Keys(wanted())), changedByKubelet()...) {
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

// Restore puts the recorded values back. Without a record there is nothing to do.
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
		return fmt.Errorf("%s is damaged, so kernel settings stay as the cluster set them: %w", s.Record, err)
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
