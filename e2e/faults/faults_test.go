package faults

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// fault is one fault of the mesh.
type fault struct {
	name string
	// begin causes the fault, and returns what ends it; nil if it ends by itself.
	begin func(t *testing.T) (end func())
	// lasts is how long the fault lasts.
	lasts time.Duration
	// ownSidecar is true if the sidecar of the client itself does not work. Its requests cannot succeed.
	ownSidecar bool
}

const (
	// hang is how long a process is stopped. The kubelet restarts a control plane that does not answer for a minute.
	hang = 30 * time.Second
	// separation is how long a part is separated from others.
	separation = 40 * time.Second
)

// killed sends SIGKILL to an app's containers: of one pod, or of all.
func killed(namespace, app, container string, all bool) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		signal(t, choose(podsOf(t, namespace, app), all), container, syscall.SIGKILL)
		return nil
	}
}

// hangs stops the processes of an app's containers: of one pod, or of all.
func hangs(namespace, app, container string, all bool) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		return stopAndContinue(t, choose(podsOf(t, namespace, app), all), container)
	}
}

func choose(pods []corev1.Pod, all bool) []corev1.Pod {
	if all {
		return pods
	}
	return pods[:1]
}

// separated applies a partition to one pod of an app.
func separated(namespace, app, container, rules string) func(t *testing.T) func() {
	return func(t *testing.T) func() { return partition(t, podsOf(t, namespace, app)[0], container, rules) }
}

var faults = []fault{
	{name: "one controller: kill -9", begin: killed(names.DefaultNamespace, names.Controller, names.Controller, false)},
	{name: "all controllers: kill -9", begin: killed(names.DefaultNamespace, names.Controller, names.Controller, true)},
	{name: "one controller: SIGSTOP", begin: hangs(names.DefaultNamespace, names.Controller, names.Controller, false), lasts: hang},
	{name: "all controllers: SIGSTOP", begin: hangs(names.DefaultNamespace, names.Controller, names.Controller, true), lasts: hang},
	{name: "all injectors: kill -9", begin: killed(names.DefaultNamespace, names.Injector, names.Injector, true)},
	{name: "all injectors: SIGSTOP", begin: hangs(names.DefaultNamespace, names.Injector, names.Injector, true), lasts: hang},
	{name: "operator: kill -9", begin: killed(names.OperatorNamespace, names.Operator, names.Operator, true)},
	{name: "operator: SIGSTOP", begin: hangs(names.OperatorNamespace, names.Operator, names.Operator, true), lasts: hang},
	{name: "sidecar of a server: kill -9", begin: killed(inside, store, names.SidecarContainer, false)},
	{name: "sidecar of a server: SIGSTOP", begin: hangs(inside, store, names.SidecarContainer, false), lasts: hang},
	{name: "sidecar of a server: out of memory", begin: outOfMemory},
	{name: "sidecar of a denied client: kill -9", begin: killed(inside, thief, names.SidecarContainer, true)},
	{name: "sidecar of the client: kill -9", begin: killed(inside, buyer, names.SidecarContainer, true), ownSidecar: true},
	{name: "sidecar of a server without the control plane", begin: separated(inside, store, names.SidecarContainer, fromControlPlane), lasts: separation},
	{name: "sidecar of the client without the control plane", begin: separated(inside, buyer, names.SidecarContainer, fromControlPlane), lasts: separation},
	{name: "one controller without a network", begin: separated(names.DefaultNamespace, names.Controller, names.Controller, fromAll), lasts: separation},
	{name: "API server stopped", begin: stopAPIServer, lasts: separation},
	{name: "ServiceAccount of the controller deleted", begin: deleteAccount(names.Controller)},
	{name: "ServiceAccount of the injector deleted", begin: deleteAccount(names.Injector)},
}

// outOfMemory lets the kernel kill the sidecar of one server.
func outOfMemory(t *testing.T) func() {
	exhaustMemory(t, podsOf(t, inside, store)[0], names.SidecarContainer)
	return nil
}

// stopAPIServer stops the API server. It is started again even if the test fails.
func stopAPIServer(t *testing.T) func() {
	t.Helper()
	must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "api-server", "stop"))
	return func() {
		if err := cluster.Repository.Tool(context.WithoutCancel(t.Context()), os.Stderr, "./cluster", "api-server", "start"); err != nil {
			t.Error(err)
		}
	}
}

// deleteAccount deletes a ServiceAccount of the control plane. The tokens of its pods end.
func deleteAccount(name string) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: name}}
		must(t, cluster.Client.Delete(t.Context(), account))
		return nil
	}
}

// TestFaults causes one fault after the other under load, and prints the table of docs/faults.md.
func TestFaults(t *testing.T) {
	lab.RequireFull(t)
	if lab.IsCurrent() {
		t.Fatal("faults are caused from the machine of the cluster: unset CLUSTER")
	}
	deployShop(t)
	rows := []string{"| Fault | Lasts | Requests | Lost | Allowed | Well after |", "|---|---|---|---|---|---|"}
	for _, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) { rows = append(rows, f.measure(t)) })
	}
	t.Log("\n" + strings.Join(rows, "\n"))
}

// measure causes a fault under load, and returns its row.
func (f fault) measure(t *testing.T) string {
	must(t, awaitWell(t.Context()))
	l := startLoad(t)
	// The fault begins under load.
	wait(t, time.Second)
	end := f.begin(t)
	began := time.Now()
	if end != nil {
		wait(t, f.lasts)
		end()
		began = time.Now()
	}
	err := awaitWell(t.Context())
	well := time.Since(began)
	rate := 0.0
	m := l.stop()
	rate = l.perSecond(m)
	if err != nil {
		t.Errorf("the mesh is not well again: %v\n%s", err, cluster.Describe(context.WithoutCancel(t.Context()), inside))
	}
	if m.permitted > 0 {
		t.Errorf("%d requests succeeded that no policy allows", m.permitted)
	}
	if m.lost > 0 && !f.ownSidecar {
		t.Errorf("%d of %d requests were lost: %s", m.lost, m.requests, m.describe())
	}
	t.Logf("%s: %.0f requests per second, lost %d, %s", f.name, rate, m.lost, m.describe())
	lasts := "–"
	if f.lasts > 0 {
		lasts = fmt.Sprintf("%.0f s", f.lasts.Seconds())
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %.1f s |", f.name, lasts, m.requests, m.lost, m.permitted, well.Seconds())
}
