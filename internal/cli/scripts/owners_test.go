package scripts_test

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ownPods is the command "own MESH NAMESPACE" of scripts. It creates what the operator and Kubernetes create for the pods of controllers in a
// namespace: the account that reads reports, a MeshRevision, and a Deployment and a ReplicaSet that own the pods.
func ownPods(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: own MESH NAMESPACE")
	}
	scheme := runtime.NewScheme()
	ts.Check(clientgoscheme.AddToScheme(scheme))
	ts.Check(v1alpha1.AddToScheme(scheme))
	c, err := client.New(apiServer, client.Options{Scheme: scheme})
	ts.Check(err)
	o := owners{client: c, mesh: args[0], namespace: args[1]}
	ts.Defer(func() { ts.Check(o.deleteRevisions(context.Background())) })
	ts.Check(o.create(context.Background()))
}

// owners creates the owners of pods.
type owners struct {
	client          client.Client
	mesh, namespace string
}

// deleteRevisions deletes the MeshRevisions of the mesh, which are in no namespace.
func (o owners) deleteRevisions(ctx context.Context) error {
	var revisions v1alpha1.MeshRevisionList
	if err := o.client.List(ctx, &revisions); err != nil {
		return err
	}
	for i := range revisions.Items {
		if revisions.Items[i].Spec.Mesh != o.mesh {
			continue
		}
		if err := client.IgnoreNotFound(o.client.Delete(ctx, &revisions.Items[i])); err != nil {
			return err
		}
	}
	return nil
}

func (o owners) create(ctx context.Context) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: names.ReportReader}}
	if err := o.client.Create(ctx, account); err != nil {
		return err
	}
	var pods corev1.PodList
	if err := o.client.List(ctx, &pods, client.InNamespace(o.namespace), client.HasLabels{names.AppLabel}); err != nil {
		return err
	}
	var apps []string
	for i := range pods.Items {
		if app := pods.Items[i].Labels[names.AppLabel]; names.Component(app) == names.Controller && !slices.Contains(apps, app) {
			apps = append(apps, app)
		}
	}
	for _, app := range apps {
		if err := o.ownPods(ctx, app); err != nil {
			return err
		}
	}
	return nil
}

// ownPods gives the pods with a label the owners that those of a Deployment have.
func (o owners) ownPods(ctx context.Context, app string) error {
	if err := o.client.Create(ctx, o.revision(app)); err != nil {
		return err
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: app}}
	deployment.Spec.Selector, deployment.Spec.Template = template(app)
	if err := o.client.Create(ctx, deployment); apierrors.IsAlreadyExists(err) {
		err = o.client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	before := deployment.DeepCopy()
	deployment.Labels = map[string]string{names.MeshLabel: o.mesh}
	if err := o.client.Patch(ctx, deployment, client.MergeFrom(before)); err != nil {
		return err
	}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: app + "-5c"}}
	set.Spec.Selector, set.Spec.Template = template(app)
	if err := o.client.Create(ctx, set); err != nil {
		return err
	}
	if err := o.setController(ctx, set, "apps/v1", "Deployment", deployment); err != nil {
		return err
	}
	var pods corev1.PodList
	if err := o.client.List(ctx, &pods, client.InNamespace(o.namespace), client.MatchingLabels{names.AppLabel: app}); err != nil {
		return err
	}
	for i := range pods.Items {
		if err := o.setController(ctx, &pods.Items[i], "apps/v1", "ReplicaSet", set); err != nil {
			return err
		}
	}
	return nil
}

// setController makes owner the controller of an object.
func (o owners) setController(ctx context.Context, object client.Object, version, kind string, owner client.Object) error {
	before, _ := object.DeepCopyObject().(client.Object)
	object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true)}})
	return o.client.Patch(ctx, object, client.MergeFrom(before))
}

// revision is the MeshRevision that runs the Deployment of a name.
func (o owners) revision(app string) *v1alpha1.MeshRevision {
	suffix := strings.TrimPrefix(strings.TrimPrefix(app, names.Controller), "-")
	return &v1alpha1.MeshRevision{
		ObjectMeta: metav1.ObjectMeta{Name: o.mesh + "-" + cmp.Or(suffix, "scripted")},
		Spec: v1alpha1.MeshRevisionSpec{
			Mesh: o.mesh, Namespace: o.namespace, Version: "v0.3.0", TrustDomain: "cluster.local",
			Images: v1alpha1.RevisionImages{Controller: "a", Injector: "a", Init: "a", Sidecar: "a"},
		},
	}
}

// template is the selector and the pod template of a workload.
func template(app string) (*metav1.LabelSelector, corev1.PodTemplateSpec) {
	labels := map[string]string{names.AppLabel: app}
	return &metav1.LabelSelector{MatchLabels: labels}, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
	}
}
