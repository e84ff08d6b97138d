package certificates

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// policies allow the client to call the server.
const policies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: any, namespace: %[1]s}
spec: {matches: [{name: any, pathRegex: ".*", methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: server, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: server, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: client, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: any}]
`

// flows are the loads of the client: one opens a connection for each request, one reuses connections.
var flows = [][]string{{"--rate", "50"}, {"--rate", "50", "--keep-alive"}}

// shop is a client, a server and a pod whose sidecar can be stopped in the mesh, and a pod outside of it.
type shop struct {
	inside, outside             string
	client, outsider, stoppable *lab.Agent
}

// deployShop creates the pods and waits until requests succeed.
func deployShop(t *testing.T) shop {
	t.Helper()
	id := uuid.NewString()[:6]
	s := shop{inside: "certs-" + id, outside: "certs-outside-" + id}
	t.Cleanup(func() { s.close(t) })
	lab.Must(t, errors.Join(cluster.CreateNamespace(t.Context(), s.inside, names.DefaultMesh), cluster.CreateNamespace(t.Context(), s.outside, "")))
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policies, s.inside)))
	for namespace, pods := range map[string][]string{s.inside: {"client", "server", stoppable}, s.outside: {"outsider"}} {
		for _, name := range pods {
			account, pod := cluster.TestPod(namespace, name)
			if name == stoppable {
				allowSignals(pod)
			}
			lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(namespace, name), pod))
		}
	}
	lab.Must(t, errors.Join(cluster.PodsReady(t.Context(), podLimit, s.inside), cluster.PodsReady(t.Context(), podLimit, s.outside)))
	s.client = cluster.Agent(t.Context(), s.inside, "client", lab.AgentPort)
	s.stoppable = cluster.Agent(t.Context(), s.inside, stoppable, lab.AgentPort)
	s.outsider = cluster.Agent(t.Context(), s.outside, "outsider", lab.AgentPort)
	_, err := s.client.AwaitOutcome(t.Context(), 20*time.Second, s.url(), "200")
	lab.Must(t, err)
	return s
}

// close deletes the namespaces, and describes them if the test failed.
func (s shop) close(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if t.Failed() {
		t.Log(cluster.Describe(ctx, s.inside), cluster.ControlPlaneLogs(ctx, names.DefaultNamespace))
	}
	for _, namespace := range []string{s.inside, s.outside} {
		if err := cluster.DeleteNamespace(ctx, namespace); err != nil {
			t.Error(err)
		}
	}
}

func (s shop) url() string { return fmt.Sprintf("http://server.%s:%d/", s.inside, lab.HTTPPort) }

// chain returns the certificates that the server's sidecar presents.
func (s shop) chain(t *testing.T) string {
	t.Helper()
	var pod corev1.Pod
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: s.inside, Name: "server"}, &pod))
	seen, err := s.outsider.Handshake(t.Context(), fmt.Sprintf("%s:%d", pod.Status.PodIP, lab.HTTPPort), names.ServiceHost("server", s.inside))
	lab.Must(t, err)
	return seen.Chain
}

// underLoad calls act while the client sends requests and pods are created in a dry run, and requires that all succeed.
func (s shop) underLoad(t *testing.T, act func()) {
	t.Helper()
	var running []*lab.Running[report.Requests]
	for _, args := range flows {
		load, err := s.client.StartRequests(t.Context(), s.url(), append([]string{"--timeout", "15s"}, args...)...)
		lab.Must(t, err)
		running = append(running, load)
	}
	stopInjecting := s.injectMeanwhile(t)
	act()
	stopInjecting()
	for i, load := range running {
		result, err := load.Stop(t.Context())
		lab.Must(t, err)
		t.Logf("%v: %d requests, %v, late by up to %s", flows[i], result.Requests, result.Outcomes, result.Late)
		if failed := result.Failed(); failed > 0 || result.Requests < 500 || !result.IsRepresentative() {
			t.Errorf("%d of %d requests failed: %v %v", failed, result.Requests, result.Errors, result.Failures)
		}
	}
}

// injectMeanwhile creates a pod in a dry run twice a second, which calls the injector, until the returned function is called.
func (s shop) injectMeanwhile(t *testing.T) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	attempts := 0
	done.Go(func() {
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			attempts++
			if err := s.tryInjection(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("%s: a pod is not injected: %v", time.Now().UTC().Format(time.TimeOnly), err)
			}
		}
	})
	end := func() {
		cancel()
		done.Wait()
	}
	t.Cleanup(end)
	return func() {
		end()
		t.Logf("%d pods were injected in a dry run", attempts)
	}
}

// tryInjection creates a pod in a dry run.
func (s shop) tryInjection(ctx context.Context) error {
	_, pod := cluster.TestPod(s.inside, "trial")
	pod.Spec.ServiceAccountName = "client"
	if err := cluster.Client.Create(ctx, pod, client.DryRunAll); err != nil {
		return err
	}
	if len(pod.Spec.InitContainers) == 0 {
		return errors.New("it has no sidecar")
	}
	return nil
}
