package faults

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fault is one fault of the mesh.
type fault struct {
	name  string
	begin func(t *testing.T) effect
	// lasts is how long the fault lasts.
	lasts time.Duration
	// ownSidecar is true if the sidecar of the client itself does not work. Its requests cannot succeed.
	ownSidecar bool
}

// effect is a fault that has begun.
type effect struct {
	// end ends the fault; nil if it ends by itself.
	end func()
	// recovered reports whether Kubernetes or the operator has replaced what was lost; nil if nothing was.
	recovered func(context.Context) (done bool, observed string, err error)
}

const (
	// operatorContainer is the container of the operator's pod.
	operatorContainer = "operator"
	// hang is how long a process is stopped. The kubelet restarts a control plane that does not answer for a minute.
	hang = 30 * time.Second
	// separation is how long a part is separated from others.
	separation = 40 * time.Second
	// absence is how long the API server is away.
	absence = 10 * time.Minute
)

// killed sends SIGKILL to an app's containers: of one pod, or of all.
func killed(namespace, app, container string, all bool) func(t *testing.T) effect {
	return func(t *testing.T) effect {
		pods := choose(podsOf(t, namespace, app), all)
		signal(t, pods, container, syscall.SIGKILL)
		return effect{recovered: restarted(pods, container, "")}
	}
}

// hangs stops the processes of an app's containers: of one pod, or of all.
func hangs(namespace, app, container string, all bool) func(t *testing.T) effect {
	return func(t *testing.T) effect {
		return effect{end: stopAndContinue(t, choose(podsOf(t, namespace, app), all), container)}
	}
}

func choose(pods []corev1.Pod, all bool) []corev1.Pod {
	if all {
		return pods
	}
	return pods[:1]
}

// separated applies a partition to one pod of an app.
func separated(namespace, app, container, rules string) func(t *testing.T) effect {
	return func(t *testing.T) effect {
		return effect{end: partition(t, podsOf(t, namespace, app)[0], container, rules)}
	}
}

var faults = []fault{
	{name: "one controller: kill -9", begin: killed(names.DefaultNamespace, names.Controller, names.Controller, false)},
	{name: "all controllers: kill -9", begin: killed(names.DefaultNamespace, names.Controller, names.Controller, true)},
	{name: "one controller: SIGSTOP", begin: hangs(names.DefaultNamespace, names.Controller, names.Controller, false), lasts: hang},
	{name: "all controllers: SIGSTOP", begin: hangs(names.DefaultNamespace, names.Controller, names.Controller, true), lasts: hang},
	{name: "all injectors: kill -9", begin: killed(names.DefaultNamespace, names.Injector, names.Injector, true)},
	{name: "all injectors: SIGSTOP", begin: hangs(names.DefaultNamespace, names.Injector, names.Injector, true), lasts: hang},
	{name: "operator: kill -9", begin: killed(names.OperatorNamespace, names.Operator, operatorContainer, true)},
	{name: "operator: SIGSTOP", begin: hangs(names.OperatorNamespace, names.Operator, operatorContainer, true), lasts: hang},
	{name: "sidecar of a server: kill -9", begin: killed(inside, store, names.SidecarContainer, false)},
	{name: "sidecar of a server: SIGSTOP", begin: hangs(inside, store, names.SidecarContainer, false), lasts: hang},
	{name: "sidecar of a server: out of memory", begin: outOfMemory},
	{name: "sidecar of a denied client: kill -9", begin: killed(inside, thief, names.SidecarContainer, true)},
	{name: "sidecar of the client: kill -9", begin: killed(inside, buyer, names.SidecarContainer, true), ownSidecar: true},
	{name: "sidecar of a server without the control plane", begin: separated(inside, store, names.SidecarContainer, fromControlPlane), lasts: separation},
	{name: "sidecar of the client without the control plane", begin: separated(inside, buyer, names.SidecarContainer, fromControlPlane), lasts: separation},
	{name: "one controller without a network", begin: separated(names.DefaultNamespace, names.Controller, names.Controller, fromAll), lasts: separation},
	{name: "a server without a network", begin: separated(inside, store, names.SidecarContainer, fromAll), lasts: separation},
	{name: "a server that loses 5% of packets", begin: separated(inside, store, names.SidecarContainer, lossy), lasts: separation},
	{name: "all servers marked as not ready", begin: markNotReady, lasts: marked},
	{name: "API server stopped", begin: stopAPIServer, lasts: absence},
	{name: "API server stopped, control plane killed", begin: killWithoutAPIServer, lasts: separation},
	{name: "API server rejects writes", begin: rejectWrites, lasts: separation},
	{name: "ServiceAccount of the controller deleted", begin: deleteAccount(names.Controller)},
	{name: "ServiceAccount of the injector deleted", begin: deleteAccount(names.Injector)},
}

// outOfMemory lets the kernel kill the sidecar of one server.
func outOfMemory(t *testing.T) effect {
	pods := podsOf(t, inside, store)[:1]
	exhaustMemory(t, pods[0], names.SidecarContainer)
	return effect{recovered: restarted(pods, names.SidecarContainer, "OOMKilled")}
}

// stopAPIServer stops the API server. It is started again even if the test fails.
func stopAPIServer(t *testing.T) effect {
	t.Helper()
	return apiServer(t, "stop", "start")
}

// killWithoutAPIServer stops the API server, and then kills all controllers and injectors. They start again without it.
func killWithoutAPIServer(t *testing.T) effect {
	t.Helper()
	controllers, injectors := podsOf(t, names.DefaultNamespace, names.Controller), podsOf(t, names.DefaultNamespace, names.Injector)
	e := stopAPIServer(t)
	signal(t, controllers, names.Controller, syscall.SIGKILL)
	signal(t, injectors, names.Injector, syscall.SIGKILL)
	again, alsoAgain := restarted(controllers, names.Controller, ""), restarted(injectors, names.Injector, "")
	e.recovered = func(ctx context.Context) (bool, string, error) {
		if done, observed, err := again(ctx); err != nil || !done {
			return done, observed, err
		}
		return alsoAgain(ctx)
	}
	return e
}

// rejectWrites lets the API server reject writes, as with full storage. It accepts them again even if the test fails.
func rejectWrites(t *testing.T) effect {
	t.Helper()
	e := apiServer(t, "reject-writes", "accept-writes")
	created := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: inside, GenerateName: "rejected-"}}
	if err := cluster.Client.Create(t.Context(), created); err == nil {
		t.Errorf("the API server accepts the ConfigMap %s", created.Name)
	}
	return e
}

// apiServer runs a command of the local cluster for its API server now, and another one at the end.
func apiServer(t *testing.T, begin, end string) effect {
	t.Helper()
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "api-server", begin))
	return effect{end: func() {
		if err := cluster.Repository.Tool(context.WithoutCancel(t.Context()), os.Stderr, "./cluster", "api-server", end); err != nil {
			t.Error(err)
		}
	}}
}

// deleteAccount deletes a ServiceAccount of the control plane. The tokens of its pods end.
func deleteAccount(name string) func(t *testing.T) effect {
	return func(t *testing.T) effect {
		pods := podsOf(t, names.DefaultNamespace, name)
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: name}}
		lab.Must(t, cluster.Client.Delete(t.Context(), account))
		return effect{recovered: removed(pods)}
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
	lab.Must(t, awaitSchedulable(t.Context()))
	lab.Must(t, awaitEndpoints(t.Context()))
	lab.Must(t, awaitWell(t.Context()))
	l := startLoad(t)
	// The fault begins under load.
	wait(t, time.Second)
	e := f.begin(t)
	ended := time.Now()
	if e.end != nil {
		wait(t, f.lasts)
		e.end()
		ended = time.Now()
	}
	var failures []error
	if e.recovered != nil {
		failures = append(failures, lab.Until(t.Context(), wellLimit, "what was lost is replaced", e.recovered))
	}
	failures = append(failures, awaitWell(t.Context()))
	well := time.Since(ended)
	m := l.stop()
	if err := errors.Join(failures...); err != nil {
		t.Errorf("the mesh is not well again: %v\n%s", err, cluster.Describe(context.WithoutCancel(t.Context()), inside))
	}
	f.check(t, m)
	t.Logf("%s: %.0f requests per second, lost %d, %s", f.name, l.perSecond(m), m.lost, m.describe())
	lasts := "–"
	if f.lasts > 0 {
		lasts = fmt.Sprintf("%.0f s", f.lasts.Seconds())
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %.0f s |", f.name, lasts, m.requests, m.lost, m.permitted, math.Ceil(well.Seconds()))
}

// check requires that no request was lost, or allowed against the policies.
func (f fault) check(t *testing.T, m measurement) {
	t.Helper()
	if m.requests == 0 {
		t.Error("no requests were sent")
	}
	if m.permitted > 0 {
		t.Errorf("%d requests succeeded that no policy allows", m.permitted)
	}
	if m.lost > 0 && !f.ownSidecar {
		t.Errorf("%d of %d requests were lost%s", m.lost, m.requests, m.logged(t.Context()))
	}
}
