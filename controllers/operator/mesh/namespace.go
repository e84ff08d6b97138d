package mesh

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// namespaceRetry is the requeue interval for a namespace that exists but is not in the cache yet.
const namespaceRetry = 200 * time.Millisecond

// pruneAnnotation keeps Argo CD from deleting an object that an Application does not contain.
const pruneAnnotation = "argocd.argoproj.io/sync-options"

// reconcileNamespace creates the namespace of the mesh. One that exists is used as it is, and stays when the mesh is removed.
func (r *Reconciler) reconcileNamespace(ctx context.Context, p *pass) error {
	namespace, err := r.Namespace(ctx, p.desired.Namespace)
	if err != nil {
		return err
	}
	if namespace == nil {
		return r.createNamespace(ctx, p)
	}
	if namespace.DeletionTimestamp == nil {
		return nil
	}
	// The servers of the webhooks end with the namespace, which may take long to be deleted. No pod shall wait for them.
	if _, err := apply.DeleteLabelled(ctx, r.Client, p.mesh.Name, &admissionv1.MutatingWebhookConfigurationList{},
		&admissionv1.ValidatingWebhookConfigurationList{}); err != nil {
		return err
	}
	return fmt.Errorf("the namespace %s is being deleted: the mesh is installed again when it is gone", namespace.Name)
}

// createNamespace creates the namespace; its label marks it as made for this mesh. A namespace that somebody else created at the
// same time, and that the cache does not hold yet, is used as it is.
func (r *Reconciler) createNamespace(ctx context.Context, p *pass) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: p.desired.Namespace, Labels: operand.Labels(p.mesh.Name, ""), Annotations: map[string]string{pruneAnnotation: "Prune=false"},
	}}
	err := r.Client.Create(ctx, namespace, client.FieldOwner(apply.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		p.RequeueAfter(namespaceRetry)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the namespace %s cannot be created: %w", namespace.Name, err)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Created", "CreateNamespace", "created Namespace %s", namespace.Name)
	return nil
}

// pollKubernetes is how often the version of an API server that is too old is read again.
const pollKubernetes = time.Minute

// Kubernetes is the version of the API server. It is safe for concurrent use.
type Kubernetes struct {
	server  discovery.ServerVersionInterface
	version atomic.Pointer[string]
}

// ReadKubernetes reads the version of an API server.
func ReadKubernetes(server discovery.ServerVersionInterface) (*Kubernetes, error) {
	k := &Kubernetes{server: server}
	return k, k.read()
}

func (k *Kubernetes) read() error {
	info, err := k.server.ServerVersion()
	if err != nil {
		return fmt.Errorf("the version of the API server cannot be read: %w", err)
	}
	k.version.Store(&info.GitVersion)
	return nil
}

// Outdated returns a version that is too old, and "" for a supported one. A version that is too old is read again, because somebody may have
// upgraded the cluster. A version that cannot be parsed is supported.
func (k *Kubernetes) Outdated() (string, error) {
	if isSupported(*k.version.Load()) {
		return "", nil
	}
	if err := k.read(); err != nil || isSupported(*k.version.Load()) {
		return "", err
	}
	return *k.version.Load(), nil
}

func isSupported(cluster string) bool {
	parsed, err := version.ParseGeneric(cluster)
	return err != nil || parsed.AtLeast(version.MustParseGeneric(names.OldestKubernetes))
}

// validate finds what must be changed by somebody before the mesh can be installed.
func (r *Reconciler) validate(ctx context.Context, p *pass) error {
	if err := r.checkCluster(p); err != nil {
		return err
	}
	release, err := r.Catalogue.Release(p.desired.Version)
	if operand.IsUnknownVersion(err) {
		return &observe.StalledError{Reason: v1alpha1.ReasonUnknownVersion, Message: "spec.version: " + err.Error()}
	}
	if err != nil {
		return err
	}
	if missing := desired.Images(p.mesh, release.Images).Missing(); len(missing) > 0 {
		return &observe.StalledError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(
			"the operator does not know the images of version %s (%s): set the RELATED_IMAGE variables in its Deployment, or spec.controlPlane.images",
			p.desired.Version, strings.Join(missing, ", "))}
	}
	if p.desired.Namespace == r.OperatorNamespace {
		return &observe.StalledError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(
			"spec.namespace %s is where the operator runs: give the mesh a namespace of its own, for example %s", p.desired.Namespace, names.DefaultNamespace)}
	}
	if claimed, err := r.Claimed(ctx, p.mesh); err != nil {
		return err
	} else if claimed != nil {
		return claimed
	}
	return r.checkClaim(ctx, p)
}

// checkCluster rejects clusters that are too old. Nothing reports their upgrade, so they are observed again.
func (r *Reconciler) checkCluster(p *pass) error {
	outdated, err := r.Kubernetes.Outdated()
	if err != nil || outdated == "" {
		return err
	}
	p.RequeueAfter(pollKubernetes)
	return &observe.StalledError{Reason: v1alpha1.ReasonUnsupportedKubernetes, Message: fmt.Sprintf(
		"this cluster runs Kubernetes %s, and version %s or later is required: upgrade the cluster", outdated, names.OldestKubernetes)}
}
