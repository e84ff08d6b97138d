package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Interval is the time between two checks of the policies, which repair what others changed.
const Interval = 5 * time.Minute

// retryInterval is the time after a check that failed.
const retryInterval = 10 * time.Second

// Applier applies objects on behalf of an owner.
type Applier interface {
	ApplyAll(ctx context.Context, owner client.Object, objects []*unstructured.Unstructured) error
}

// Reconciler applies the policies.
type Reconciler struct {
	// Applier applies them, and Reader reads the namespace of the operator.
	Applier Applier
	Reader  client.Reader
	// Namespace is the name of that namespace.
	Namespace string
	// Files are the policies, a YAML document a file.
	Files fs.FS
	Log   logr.Logger
}

// NeedLeaderElection reports that only the active operator applies policies.
func (*Reconciler) NeedLeaderElection() bool { return true }

// Start applies the policies until the context ends. A failure is logged and tried again: meshes work without these policies.
func (r *Reconciler) Start(ctx context.Context) error {
	for {
		pause := Interval
		if err := r.Apply(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error(err, "cannot apply the admission policies of the operator: invalid policies and dangerous deletions are not rejected")
			pause = retryInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Apply applies the policies once.
func (r *Reconciler) Apply(ctx context.Context) error {
	namespace := &corev1.Namespace{}
	if err := r.Reader.Get(ctx, client.ObjectKey{Name: r.Namespace}, namespace); err != nil {
		return fmt.Errorf("cannot read the namespace of the operator: %w", err)
	}
	namespace.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}
	objects, err := r.objects()
	if err != nil {
		return err
	}
	for _, object := range objects {
		object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: namespace.APIVersion, Kind: namespace.Kind, Name: namespace.Name, UID: namespace.UID}})
	}
	return r.Applier.ApplyAll(ctx, namespace, objects)
}

// objects reads the policies. The default namespace of the operator is replaced by the real one.
func (r *Reconciler) objects() ([]*unstructured.Unstructured, error) {
	paths, err := fs.Glob(r.Files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	var failed []error
	for _, path := range paths {
		text, err := fs.ReadFile(r.Files, path)
		object := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), names.OperatorNamespace, r.Namespace)), &object.Object)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("cannot read the admission policy %s: %w", path, err))
			continue
		}
		objects = append(objects, object)
	}
	return objects, errors.Join(failed...)
}
