package faults

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// table is the nftables table of a partition, in the network namespace of a pod.
const table = "inet osm-faults"

// fromControlPlane separates a sidecar from the control plane.
const fromControlPlane = `table inet osm-faults {
  chain output { type filter hook output priority -300; tcp dport 15128 drop; }
  chain input { type filter hook input priority -300; tcp sport 15128 drop; }
}
`

// fromAll separates a pod from everything else.
const fromAll = `table inet osm-faults {
  chain output { type filter hook output priority -300; oifname != "lo" drop; }
  chain input { type filter hook input priority -300; iifname != "lo" drop; }
}
`

// lossy drops every twentieth packet at random, in both directions.
const lossy = `table inet osm-faults {
  chain output { type filter hook output priority -300; oifname != "lo" numgen random mod 20 == 0 drop; }
  chain input { type filter hook input priority -300; iifname != "lo" numgen random mod 20 == 0 drop; }
}
`

// partition applies rules in the network namespace of a pod, and returns a function that removes them.
func partition(t *testing.T, pod corev1.Pod, container, rules string) (end func()) {
	t.Helper()
	pids, err := lab.Processes(pod, container)
	lab.Must(t, err)
	lab.Must(t, nft(pids[0], rules))
	removed := false
	remove := func() {
		if removed {
			return
		}
		removed = true
		if err := nft(pids[0], "delete table "+table+"\n"); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(remove)
	return remove
}

// nft changes the nftables rules in the network namespace of a process.
func nft(pid int, rules string) error {
	cmd := exec.Command("nsenter", "--target", strconv.Itoa(pid), "--net", "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft in the network namespace of process %d: %w: %s", pid, err, output)
	}
	return nil
}
