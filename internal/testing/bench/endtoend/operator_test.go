package endtoend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// idleTime is how long an idle operator is measured, and how long after an event it must have ended its work.
const idleTime = 10 * time.Second

// operatorBench is a running measurement.
type operatorBench struct {
	*controller
	client   client.Client
	requests audit
	mesh     *v1alpha1.Mesh
	// idle is the share of a core that the operator uses when nothing happens.
	idle float64
}

// measureOperator installs a mesh in a real API server, with pods that no kubelet runs, and measures what events cost the real osm-operator.
func measureOperator(b *testing.B, namespaces, pods int) {
	b.Helper()
	program := build(b, "operator")
	o, cluster := installOperator(b, program)
	ctx := b.Context()
	people := population{client: o.client, revision: o.mesh.Status.Revisions[0].Name, namespaces: namespaces, pods: pods}
	lost, joined := min(podsOfNode, pods), min(100, namespaces)
	o.event(fmt.Sprintf("%d namespaces with %d pods are created", namespaces, pods), func() error { return people.create(ctx) })
	o.event("one pod becomes not ready", func() error { return people.change(ctx, pods-1, false) })
	o.event(fmt.Sprintf("a node with %d pods is lost", lost), func() error {
		return errors.Join(people.node(ctx, 0, false), each(ctx, lost, func(ctx context.Context, i int) error { return people.change(ctx, i, false) }))
	})
	o.event(fmt.Sprintf("%d namespaces leave", joined), func() error {
		return each(ctx, joined, func(ctx context.Context, i int) error { return people.join(ctx, i, false) })
	})
	o.event(fmt.Sprintf("%d namespaces join", joined), func() error {
		return each(ctx, joined, func(ctx context.Context, i int) error { return people.join(ctx, i, true) })
	})
	used := o.usage()
	must(b, o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh))
	status, err := json.Marshal(o.mesh.Status)
	must(b, err)
	row(b, "memory and status", map[string]float64{
		"MB": float64(used.Resident) / 1e6, "peak-MB": float64(used.Peak) / 1e6, "%-of-a-core-idle": 100 * o.idle, "status-B": float64(len(status)),
	})
	o.stop()
	o.restart(program, cluster.kubeconfig, "a start with all pods")
	// An API server before Kubernetes 1.34 does not stream its lists.
	o.restart(program, cluster.kubeconfig, "a start with all pods, listed in pages", "KUBE_FEATURE_WatchListClient=false")
}

// installOperator runs the operator in a real API server, and installs a mesh.
func installOperator(b *testing.B, program string) (*operatorBench, *cluster) {
	b.Helper()
	requests := newAudit(b)
	cluster := startCluster(b, &requests)
	o := &operatorBench{controller: runOperator(b, program, cluster.kubeconfig), client: cluster.client, requests: requests}
	o.install(b.Context())
	return o, cluster
}

// runOperator runs the operator with variables in its environment.
func runOperator(b *testing.B, program, kubeconfig string, env ...string) *controller {
	b.Helper()
	command := exec.Command(program, "--namespace="+names.OperatorNamespace, "--health-probe-bind-address=0", "--metrics-bind-address=0")
	command.Env = slices.Concat(os.Environ(), []string{"KUBECONFIG=" + kubeconfig}, env)
	for _, variable := range imageVariables {
		command.Env = append(command.Env, variable+"=example.com/any:v1") // nothing pulls it
	}
	return run(b, command, (*exec.Cmd).Start)
}

// restart starts the operator when all pods exist, and ends it when it has reconciled the mesh. Before the start, a change makes the status old.
func (o *operatorBench) restart(program, kubeconfig, name string, env ...string) {
	o.Helper()
	ctx := o.Context()
	must(o.B, o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh))
	soak := v1alpha1.NewDuration(time.Minute + time.Duration(o.mesh.Generation)*time.Second)
	o.mesh.Spec.Upgrade = &v1alpha1.UpgradeSpec{Gates: &v1alpha1.GatesSpec{Soak: &soak}}
	must(o.B, o.client.Update(ctx, o.mesh))
	begun := time.Now()
	o.controller = runOperator(o.B, program, kubeconfig, env...)
	eventually.Succeeds(o, startLimit, "the operator has reconciled the mesh", func() error {
		err := o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh)
		upToDate := meta.FindStatusCondition(o.mesh.Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate)
		if err == nil && (upToDate == nil || upToDate.ObservedGeneration != o.mesh.Generation) {
			err = fmt.Errorf("its conditions are %+v", o.mesh.Status.Conditions)
		}
		return err
	})
	took := time.Since(begun)
	time.Sleep(idleTime)
	used := o.usage()
	o.stop()
	row(o.B, name, map[string]float64{"s": took.Seconds(), "CPU-ms": ms(used.CPU), "MB": float64(used.Resident) / 1e6, "peak-MB": float64(used.Peak) / 1e6})
}

// imageVariables name the images of the control plane, as in the Deployment of the operator.
var imageVariables = []string{"RELATED_IMAGE_OSM_CONTROLLER", "RELATED_IMAGE_OSM_INJECTOR", "RELATED_IMAGE_OSM_INIT", "RELATED_IMAGE_ENVOY"}

// install creates a Mesh and completes the rollouts of its Deployments, as no other controller runs. Then it measures what the operator uses when nothing
// happens.
func (o *operatorBench) install(ctx context.Context) {
	o.Helper()
	o.mesh = &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: meshName}}
	must(o.B, o.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.OperatorNamespace}}))
	must(o.B, o.client.Create(ctx, o.mesh))
	eventually.Succeeds(o, startLimit, "the mesh is ready", func() error {
		var deployments appsv1.DeploymentList
		if err := o.client.List(ctx, &deployments, client.InNamespace(namespace)); err != nil {
			return err
		}
		for i := range deployments.Items {
			if d := &deployments.Items[i]; d.Status.ObservedGeneration != d.Generation {
				_ = complete(ctx, o.client, d) // a conflict is tried again
			}
		}
		err := o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh)
		if err == nil && !meta.IsStatusConditionTrue(o.mesh.Status.Conditions, v1alpha1.ConditionReady) {
			err = fmt.Errorf("its conditions are %+v", o.mesh.Status.Conditions)
		}
		return err
	})
	time.Sleep(idleTime)
	before, begun := o.usage(), time.Now()
	time.Sleep(idleTime)
	o.idle = float64(o.usage().CPU-before.CPU) / float64(time.Since(begun))
}

// event makes an event and waits until the operator uses no more than before. It reports the CPU time until then, less that of an idle operator, the
// requests to the API server without watches and Leases, and the time of the writes of the event.
func (o *operatorBench) event(name string, do func() error) {
	o.Helper()
	before, sent, begun := o.usage(), o.requests.requests(o.B), time.Now()
	must(o.B, do())
	written := time.Since(begun)
	time.Sleep(idleTime)
	cpu := o.usage().CPU - before.CPU - time.Duration(o.idle*float64(time.Since(begun)))
	row(o.B, name, map[string]float64{"CPU-ms": ms(max(0, cpu)), "requests": float64(o.requests.requests(o.B) - sent), "writes-ms": ms(written)})
}
