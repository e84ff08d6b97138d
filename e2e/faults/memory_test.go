package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// spareMemory is how much more memory than now a container may use.
const spareMemory = 16 << 20

// exhaustMemory limits the memory of a container to a little more than it uses, and lets another process in its control group use that. The kernel
// then kills the container's own processes, because their score is higher.
func exhaustMemory(t *testing.T, pod corev1.Pod, container string) {
	t.Helper()
	pids, err := lab.Processes(pod, container)
	lab.Must(t, err)
	group, err := memoryGroup(pids[0])
	lab.Must(t, err)
	used, err := os.ReadFile(filepath.Join(group, "memory.usage_in_bytes"))
	lab.Must(t, err)
	bytes, err := strconv.Atoi(strings.TrimSpace(string(used)))
	lab.Must(t, err)
	for _, pid := range pids {
		lab.Must(t, os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0o600))
	}
	lab.Must(t, os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), []byte(strconv.Itoa(bytes+spareMemory)), 0o600))
	lab.Must(t, allocateIn(group, 3*spareMemory))
}

// memoryGroup returns the folder of the memory control group, version 1, of a process.
func memoryGroup(pid int) (string, error) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(string(groups), "\n") {
		if parts := strings.SplitN(line, ":", 3); len(parts) == 3 && parts[1] == "memory" {
			return filepath.Join("/sys/fs/cgroup/memory", parts[2]), nil
		}
	}
	return "", fmt.Errorf("process %d has no memory control group of version 1", pid)
}

// allocateIn lets a process in a control group use memory for a moment.
func allocateIn(group string, bytes int) error {
	script := fmt.Sprintf("echo $$ > %s && head -c %d /dev/zero | tail -c %d > /dev/null", filepath.Join(group, "cgroup.procs"), bytes, bytes)
	output, err := exec.Command("bash", "-c", script).CombinedOutput()
	// The kernel may also kill this process.
	if killed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &killed) {
		return fmt.Errorf("use %d bytes in %s: %w: %s", bytes, group, err, output)
	}
	return nil
}
