package servertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// timeout limits the wait for a change that should take milliseconds.
const timeout = time.Minute

// cluster is the API server of a test. It runs no controller except for the operator.
type cluster struct {
	t      *testing.T
	client client.Client
	// asOperator has the permissions of the operator.
	asOperator *rest.Config
	// from is the namespace of a running Open Service Mesh.
	from string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	log.SetLogger(logr.Discard())
	config := envtest.Start(t)
	scheme, err := operator.Scheme()
	must(t, err)
	c, err := client.New(config, client.Options{Scheme: scheme})
	must(t, err)
	role := &rbacv1.ClusterRole{}
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "config", "rbac", "role.yaml"))
	must(t, err)
	must(t, yaml.UnmarshalStrict(content, role))
	must(t, c.Create(t.Context(), role))
	must(t, c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "osm-operator"}},
	}))
	limited := rest.CopyConfig(config)
	limited.Impersonate = rest.ImpersonationConfig{UserName: "osm-operator"}
	return &cluster{t: t, client: c, asOperator: limited, from: names.DefaultNamespace}
}

// operator runs the operator and a simulated kubelet until stop is called.
func (c *cluster) operator() (stop func()) {
	c.t.Helper()
	files := os.DirFS(filepath.Join("..", "..", "..", "..", "internal", "operator", "operand", "manifests"))
	catalogue, err := operand.OpenCatalogue(files, "v9.9.9", operand.Images{
		Controller: "example/controller:1", Injector: "example/injector:1", Init: "example/init:1", Sidecar: "example/envoy:1",
	})
	must(c.t, err)
	mgr, err := operator.NewManager(c.asOperator, operator.Options{
		Catalogue: catalogue, Namespace: "osm-operator-system", Now: time.Now, Logger: logr.Discard(), ProbeAddress: "0",
		SeveralInOneProcess: true,
	})
	must(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = mgr.Start(ctx) })
	running.Go(func() { c.kubelet(ctx) })
	return func() { cancel(); running.Wait() }
}

// kubelet makes the Deployments of control planes ready.
func (c *cluster) kubelet(ctx context.Context) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var list appsv1.DeploymentList
		if c.client.List(ctx, &list, client.HasLabels{"operator.openservicemesh.io/mesh"}) != nil {
			continue
		}
		for i := range list.Items {
			d := &list.Items[i]
			if d.Status.ObservedGeneration == d.Generation {
				continue
			}
			n := *d.Spec.Replicas
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
			// The next tick retries after a conflict.
			_ = c.client.Status().Update(ctx, d)
		}
	}
}

// apply creates the objects of a manifest.
func (c *cluster) apply(manifest string) []*unstructured.Unstructured {
	c.t.Helper()
	objects, err := operand.DecodeYAML([]byte(manifest))
	must(c.t, err)
	for _, object := range objects {
		// The API server serves a new CRD with a delay.
		c.eventually(func() error {
			err := c.client.Create(c.t.Context(), object, client.FieldOwner("kubectl-client-side-apply"))
			if object.GetKind() == "Namespace" { // kube-system exists
				err = client.IgnoreAlreadyExists(err)
			}
			return err
		})
	}
	return objects
}

// read returns the live object.
func (c *cluster) read(object *unstructured.Unstructured) *unstructured.Unstructured {
	c.t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKeyFromObject(object), live))
	return live
}

// condition waits for a condition of a Mesh, and returns its message.
func (c *cluster) condition(name, kind, reason string) string {
	c.t.Helper()
	var message string
	c.eventually(func() error {
		mesh := &v1alpha1.Mesh{}
		if err := c.client.Get(c.t.Context(), client.ObjectKey{Name: name}, mesh); err != nil {
			return err
		}
		found := meta.FindStatusCondition(mesh.Status.Conditions, kind)
		if found == nil || found.Status != metav1.ConditionTrue || found.Reason != reason || found.ObservedGeneration != mesh.Generation {
			return fmt.Errorf("Mesh %s is not %s %s: %+v", name, kind, reason, mesh.Status.Conditions)
		}
		message = found.Message
		return nil
	})
	return message
}

// eventually waits until check returns no error.
func (c *cluster) eventually(check func() error) {
	c.t.Helper()
	var last error
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = check(); last == nil {
			return
		}
	}
	c.t.Fatalf("not within %s: %v", timeout, last)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
