package programs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// readyLimit is the time limit for the pods of a program to become ready, on a machine with two cores that runs other programs too.
	readyLimit = 6 * time.Minute
	// steady is how long no operation may fail, before and after a restart, and restart is the time after the peer was deleted.
	steady, restart = 10 * time.Second, time.Minute
	// busy is how long an operation may take, because other programs start on the same processors.
	busy = 10 * time.Second
)

// phase is a situation that a program runs in.
type phase struct {
	name string
	// mesh is the name of the mesh, empty outside of it, and traffic its settings.
	mesh, traffic string
	// proposed is true if policies that `osm explain` proposes are applied.
	proposed bool
}

func phases() []phase {
	return []phase{
		{name: "outside", traffic: `null`},
		{name: "permissive", mesh: names.DefaultMesh, traffic: `{"permissive":true,"egress":true}`},
		{name: "denied", mesh: names.DefaultMesh, traffic: `{"permissive":false,"egress":false}`, proposed: true},
	}
}

func TestPrograms(t *testing.T) {
	lab.RequireFull(t)
	cluster.Record(t, "ten programs of others outside, inside with defaults, and with the policies that the command line proposes")
	for _, phase := range phases() {
		t.Run(phase.name, func(t *testing.T) {
			lab.Must(t, cluster.Patch(t.Context(), sampleMesh(), `{"spec":{"traffic":`+phase.traffic+`}}`))
			lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
			for _, p := range programs() {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					newRun(t, phase, p).execute(t)
				})
			}
		})
	}
}

func sampleMesh() *operatorv1alpha1.Mesh {
	return &operatorv1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
}

// run is a program in a phase.
type run struct {
	program
	phase     phase
	namespace string
	// servers are the manifests without the client, which comes last.
	servers, client string
	// volumes is the folder of volumes on the node.
	volumes string
	// logs are the logs of pods that were deleted.
	logs string
}

func newRun(t *testing.T, where phase, p program) *run {
	t.Helper()
	r := &run{program: p, phase: where, namespace: p.name + "-" + where.name}
	// The folder of the cluster's state is removed with the cluster.
	r.volumes = filepath.Join(filepath.Dir(cluster.Kubeconfig), "volumes", r.namespace)
	text, err := os.ReadFile(filepath.Join("testdata", p.name+".yaml"))
	lab.Must(t, err)
	manifests := strings.NewReplacer("VERSION", cluster.Version, "NAMESPACE", r.namespace, "VOLUMES", r.volumes).Replace(string(text))
	if where.mesh != "" {
		for _, s := range p.settings {
			if !strings.Contains(manifests, s.old) {
				t.Fatalf("the manifests of %s do not have %q", p.name, s.old)
			}
			manifests = strings.ReplaceAll(manifests, s.old, s.new)
		}
	}
	last := strings.LastIndex(manifests, "\n---\n")
	r.servers, r.client = manifests[:last], manifests[last:]
	return r
}

// execute runs the program, restarts a peer, and checks its client and its log.
func (r *run) execute(t *testing.T) {
	t.Cleanup(func() { r.remove(t) })
	lab.Must(t, cluster.CreateNamespace(t.Context(), r.namespace, r.phase.mesh))
	r.apply(t, r.servers)
	if r.phase.proposed {
		r.applyProposed(t)
	}
	lab.Must(t, cluster.Available(t.Context(), readyLimit, r.namespace))
	r.await(t, r.start)
	r.apply(t, r.client)
	lab.Must(t, cluster.PodsReady(t.Context(), readyLimit, r.namespace))
	r.awaitSuccess(t)
	r.await(t, r.check)
	r.expectNoFailure(t, "before the restart")
	r.restartPeer(t)
	r.await(t, r.check)
	r.expectNoFailure(t, "after the restart")
	r.expectNoProtocolError(t)
}

func (r *run) apply(t *testing.T, manifests string) {
	t.Helper()
	_, err := cluster.KubectlInput(t.Context(), manifests, "apply", "-n", r.namespace, "-f", "-")
	lab.Must(t, err)
}

// await repeats a step until it succeeds.
func (r *run) await(t *testing.T, s step) {
	t.Helper()
	if s.command == "" {
		return
	}
	lab.Eventually(t, readyLimit, s.command, func(ctx context.Context) (bool, string, error) {
		_, err := cluster.Kubectl(ctx, "exec", "-n", r.namespace, s.pod, "--", "bash", "-c", s.command)
		return err == nil, "", err
	})
}

// awaitSuccess waits until an operation of the client succeeds.
func (r *run) awaitSuccess(t *testing.T) {
	t.Helper()
	begin := time.Now().Add(-time.Second)
	lab.Eventually(t, readyLimit, "an operation of the client succeeds", func(context.Context) (bool, string, error) {
		seen := r.operations(t, begin)
		return seen.succeeded > 0, seen.String(), nil
	})
}

// restartPeer deletes a pod and waits until its successor is ready. Meanwhile, the client may fail for a limited time. Outside the mesh it may also lose requests
// on a connection that the server closes in the moment of the request: only a sidecar repeats them.
func (r *run) restartPeer(t *testing.T) {
	t.Helper()
	pod, err := cluster.Pod(t.Context(), r.namespace, r.peer[0], r.peer[1])
	lab.Must(t, err)
	r.logs += r.ownLogs(t, *pod)
	begin := time.Now()
	lab.Must(t, cluster.Client.Delete(t.Context(), pod))
	time.Sleep(restart)
	lab.Must(t, cluster.Available(t.Context(), readyLimit, r.namespace))
	seen := r.operations(t, begin)
	t.Logf("restart of %s: %s", pod.Name, seen)
	if r.outage == 0 && seen.failed > 0 && r.phase.mesh != "" || seen.gap > max(r.outage, busy) {
		t.Errorf("restart of %s, which may interrupt the client for %s: %s", pod.Name, r.outage, seen)
	}
}

func (r *run) expectNoFailure(t *testing.T, when string) {
	t.Helper()
	begin := time.Now()
	time.Sleep(steady)
	seen := r.operations(t, begin)
	t.Logf("%s: %s", when, seen)
	if seen.failed > 0 || seen.succeeded == 0 {
		t.Errorf("%s: %s", when, seen)
	}
}

func (r *run) expectNoProtocolError(t *testing.T) {
	t.Helper()
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace(r.namespace)))
	logs := r.logs
	for _, pod := range pods.Items {
		if pod.Name != "client" {
			logs += r.ownLogs(t, pod)
		}
	}
	for line := range strings.Lines(logs) {
		if r.protocolErrors.MatchString(line) {
			t.Errorf("the log has %s", line)
		}
	}
}

// ownLogs returns the logs of the containers that the manifests declare.
func (r *run) ownLogs(t *testing.T, pod corev1.Pod) string {
	t.Helper()
	logs := ""
	for _, container := range pod.Spec.Containers {
		if container.Name != names.SidecarContainer {
			text, err := cluster.Logs(t.Context(), r.namespace, pod.Name, container.Name, 10000)
			lab.Must(t, err)
			logs += text
		}
	}
	return logs
}

// remove describes a failure, and deletes the namespace and its volumes.
func (r *run) remove(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	if t.Failed() {
		t.Log(cluster.Describe(ctx, r.namespace))
	}
	if err := cluster.DeleteNamespace(ctx, r.namespace); err != nil {
		t.Error(err)
	}
	if exists, err := cluster.HasNamespace(ctx, readyLimit, r.namespace); err != nil || exists {
		t.Errorf("namespace %s remains: %v", r.namespace, err)
	}
	if err := os.RemoveAll(r.volumes); err != nil {
		t.Error(err)
	}
}
