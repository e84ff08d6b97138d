package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Run is what a test ran on, as the cluster says. docs/support-matrix.md lists the runs.
type Run struct {
	// Test is the name of the test, and Shows what it shows.
	Test  string `json:"test"`
	Shows string `json:"shows"`
	// APIServer is the version of the API server, and Kubelets are those of the nodes, one for each version.
	APIServer string   `json:"apiServer"`
	Kubelets  []string `json:"kubelets"`
	Nodes     int      `json:"nodes"`
	// Families are the address families of pods.
	Families string `json:"families"`
	// ControlGroups is the version of control groups of the nodes.
	ControlGroups string `json:"controlGroups"`
	// Commit ends with "-dirty" if files differed from it. Date is the day of the run.
	Commit string `json:"commit"`
	Date   string `json:"date"`
}

// runTest is the part of testing.T that records a run.
type runTest interface {
	Test
	Name() string
	Failed() bool
	Cleanup(f func())
}

// Record stores what a test ran on, once it has passed. `go run ./e2e/matrix` moves it to the documentation. Call it before the cluster is removed.
func (c *Cluster) Record(t runTest, shows string) {
	t.Helper()
	run, err := c.describeRun(t.Context())
	Must(t, err)
	run.Test, run.Shows = t.Name(), shows
	t.Cleanup(func() {
		if !t.Failed() {
			Must(t, c.Repository.writeRun(run))
		}
	})
}

func (c *Cluster) describeRun(ctx context.Context) (Run, error) {
	run := Run{ControlGroups: controlGroups(), Date: time.Now().UTC().Format(time.DateOnly)}
	server, err := c.KubernetesVersion(ctx)
	if err != nil {
		return run, err
	}
	run.APIServer = "v" + server.String()
	var nodes corev1.NodeList
	if err := c.Client.List(ctx, &nodes); err != nil {
		return run, err
	}
	run.Nodes = len(nodes.Items)
	for _, node := range nodes.Items {
		run.Kubelets = append(run.Kubelets, node.Status.NodeInfo.KubeletVersion)
		run.Families = families(node.Status.Addresses)
	}
	slices.Sort(run.Kubelets)
	run.Kubelets = slices.Compact(run.Kubelets)
	run.Commit, err = c.Repository.commit(ctx)
	return run, err
}

// families names the families of a node's addresses.
func families(addresses []corev1.NodeAddress) string {
	var found []string
	for _, address := range addresses {
		if address.Type == corev1.NodeInternalIP {
			family := "IPv4"
			if strings.Contains(address.Address, ":") {
				family = "IPv6"
			}
			found = append(found, family)
		}
	}
	return strings.Join(found, ", ")
}

// controlGroups returns the version of control groups that containers of this machine have.
func controlGroups() string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return "v2"
	}
	return "v1"
}

func (r Repository) commit(ctx context.Context) (string, error) {
	commit, err := exec.CommandContext(ctx, "git", "-C", r.Path(), "describe", "--always", "--dirty", "--abbrev=8", "--exclude=*").Output()
	if err != nil {
		return "", fmt.Errorf("find the commit of the run: %w", err)
	}
	return strings.TrimSpace(string(commit)), nil
}

// RunsFolder returns where runs wait for the documentation.
func (r Repository) RunsFolder() string { return r.Path("bin", "runs") }

func (r Repository) writeRun(run Run) error {
	if err := os.MkdirAll(r.RunsFolder(), 0o755); err != nil {
		return err
	}
	text, err := yaml.Marshal(run)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.RunsFolder(), strings.ReplaceAll(run.Test, "/", "-")+".yaml"), text, 0o644)
}
