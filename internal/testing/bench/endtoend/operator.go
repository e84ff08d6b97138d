package endtoend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Size is the size of the mesh of an operator.
type Size struct{ Namespaces, Pods int }

// Event is what the operator used for one kind of event.
type Event struct {
	Name string
	// CPU is its CPU time until it was idle again, less what it uses when nothing happens, and Took the time of the writes of the event.
	CPU, Took time.Duration
	// Requests are those to the API server in this time, without watches and Leases.
	Requests int
}

// OperatorResult is the measurement of an operator.
type OperatorResult struct {
	Events []Event
	// Idle is the share of a core that it uses when nothing happens.
	Idle float64
	// Resident are its bytes at the end, and Peak the most.
	Resident, Peak uint64
	// Status is the size of the status of the Mesh in bytes, as JSON.
	Status int
}

// idleTime is how long an idle operator is measured, and how long after an event it must have ended its work.
const idleTime = 10 * time.Second

// MeasureOperator installs a mesh in a real API server, with pods that no kubelet runs, and measures what events cost the real osm-operator.
func MeasureOperator(ctx context.Context, size Size, progress func(string)) (result *OperatorResult, err error) {
	dir, err := os.MkdirTemp("", "operator")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "osm-operator")
	compile := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/openservicemesh/osm-operator/cmd/operator")
	compile.Stderr = os.Stderr
	if err := compile.Run(); err != nil {
		return nil, fmt.Errorf("the operator cannot be built: %w", err)
	}
	requests, err := newAudit(dir)
	if err != nil {
		return nil, err
	}
	cluster, err := startCluster(dir, &requests)
	if err != nil {
		return nil, err
	}
	defer func() { err = cluster.stop(err) }()
	running, err := startOperator(program, dir, cluster.kubeconfig)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, running.tail())
		}
		err = errors.Join(err, running.stop())
	}()
	return (&operatorBench{controller: running, client: cluster.client, requests: requests, size: size, progress: progress}).measure(ctx)
}

// operatorBench is a running measurement.
type operatorBench struct {
	*controller
	client   client.Client
	requests audit
	size     Size
	progress func(string)
	mesh     *v1alpha1.Mesh
	idle     float64
}

// startOperator starts the operator.
func startOperator(program, dir, kubeconfig string) (*controller, error) {
	log, err := os.Create(filepath.Join(dir, "operator.log"))
	if err != nil {
		return nil, err
	}
	c := &controller{log: log, command: exec.Command(program, "--namespace="+names.OperatorNamespace,
		"--health-probe-bind-address=0", "--metrics-bind-address=0")}
	c.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	for _, variable := range imageVariables {
		c.command.Env = append(c.command.Env, variable+"=example.com/any:v1") // nothing pulls it
	}
	c.command.Stdout, c.command.Stderr = log, log
	return c, c.command.Start()
}

// imageVariables name the images of the control plane, as in the Deployment of the operator.
var imageVariables = []string{"RELATED_IMAGE_OSM_CONTROLLER", "RELATED_IMAGE_OSM_INJECTOR", "RELATED_IMAGE_OSM_INIT", "RELATED_IMAGE_ENVOY"}

func (o *operatorBench) measure(ctx context.Context) (*OperatorResult, error) {
	if err := o.install(ctx); err != nil {
		return nil, err
	}
	people := population{client: o.client, revision: o.mesh.Status.Revisions[0].Name, namespaces: o.size.Namespaces, pods: o.size.Pods}
	result := &OperatorResult{}
	lost := min(podsOfNode, o.size.Pods)
	joined := min(100, o.size.Namespaces)
	for _, event := range []struct {
		name string
		do   func(context.Context) error
	}{
		{fmt.Sprintf("%d namespaces with %d pods are created", o.size.Namespaces, o.size.Pods), people.create},
		{"one pod becomes not ready", func(ctx context.Context) error { return people.change(ctx, o.size.Pods-1, false) }},
		{fmt.Sprintf("a node with %d pods is lost", lost), func(ctx context.Context) error {
			return errors.Join(people.node(ctx, 0, false), people.each(ctx, lost,
				func(ctx context.Context, i int) error { return people.change(ctx, i, false) }))
		}},
		{fmt.Sprintf("%d namespaces leave", joined), func(ctx context.Context) error {
			return people.each(ctx, joined, func(ctx context.Context, i int) error { return people.join(ctx, i, false) })
		}},
		{fmt.Sprintf("%d namespaces join", joined), func(ctx context.Context) error {
			return people.each(ctx, joined, func(ctx context.Context, i int) error { return people.join(ctx, i, true) })
		}},
	} {
		o.progress(event.name)
		measured, err := o.event(ctx, event.name, event.do)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", event.name, err)
		}
		result.Events = append(result.Events, measured)
	}
	usage, err := o.usage()
	if err != nil {
		return nil, err
	}
	result.Resident, result.Peak, result.Idle = usage.Resident, usage.Peak, o.idle
	if err := o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh); err != nil {
		return nil, err
	}
	status, err := json.Marshal(o.mesh.Status)
	result.Status = len(status)
	return result, err
}

// install creates a Mesh and completes the rollouts of its Deployments, as no other controller runs.
func (o *operatorBench) install(ctx context.Context) error {
	o.mesh = &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: meshName}}
	operators := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.OperatorNamespace}}
	if err := errors.Join(o.client.Create(ctx, operators), o.client.Create(ctx, o.mesh)); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		var deployments appsv1.DeploymentList
		if err := o.client.List(limit, &deployments, client.InNamespace(namespace)); err != nil {
			return err
		}
		for i := range deployments.Items {
			if d := &deployments.Items[i]; d.Status.ObservedGeneration != d.Generation {
				_ = complete(limit, o.client, d) // a conflict is tried again
			}
		}
		if err := o.client.Get(limit, client.ObjectKeyFromObject(o.mesh), o.mesh); err != nil {
			return err
		}
		if meta.IsStatusConditionTrue(o.mesh.Status.Conditions, v1alpha1.ConditionReady) {
			return o.measureIdle()
		}
		if stalled := meta.FindStatusCondition(o.mesh.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
			return fmt.Errorf("the mesh is stalled: %s", stalled.Message)
		}
		select {
		case <-limit.Done():
			return fmt.Errorf("the mesh is not ready after %s: %+v", startLimit, o.mesh.Status.Conditions)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// measureIdle measures what the operator uses when nothing happens.
func (o *operatorBench) measureIdle() error {
	time.Sleep(idleTime)
	before, err := o.usage()
	if err != nil {
		return err
	}
	begun := time.Now()
	time.Sleep(idleTime)
	after, err := o.usage()
	o.idle = float64(after.CPU-before.CPU) / float64(time.Since(begun))
	return err
}

// event makes an event and waits until the operator uses no more than before.
func (o *operatorBench) event(ctx context.Context, name string, do func(context.Context) error) (Event, error) {
	before, err := o.usage()
	sent, uncounted := o.requests.requests()
	if err := errors.Join(err, uncounted); err != nil {
		return Event{}, err
	}
	begun := time.Now()
	if err := do(ctx); err != nil {
		return Event{}, err
	}
	written := time.Since(begun)
	time.Sleep(idleTime)
	after, err := o.usage()
	sentLater, uncounted := o.requests.requests()
	return Event{
		Name: name, CPU: max(0, after.CPU-before.CPU-time.Duration(o.idle*float64(time.Since(begun)))), Took: written, Requests: sentLater - sent,
	}, errors.Join(err, uncounted)
}
