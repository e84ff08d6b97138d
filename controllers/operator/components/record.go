package components

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Annotations and the file of a record.
const (
	recordedKeyAnnotation     = "operator.openservicemesh.io/last-good"
	recordedVersionAnnotation = "operator.openservicemesh.io/operator-version"
	recordedFile              = "objects.json.gz"
)

// lastGood are the workload objects of a component whose pods were ready.
type lastGood struct {
	objects []*unstructured.Unstructured
	// key identifies the objects, and version is that of the operator that rendered them. Both are empty for objects that an operator without
	// records has applied.
	key, version string
	// packed are the objects as they are recorded. It is empty for objects that are not recorded yet.
	packed string
}

// recordName returns the name of the ConfigMap with the last good objects of a component.
func recordName(component string) string { return "osm-" + component + "-last-good" }

// keyOf identifies objects by their content.
func keyOf(objects []*unstructured.Unstructured) (string, error) {
	text, err := json.Marshal(contents(objects))
	if err != nil {
		return "", fmt.Errorf("the objects cannot be written: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

func contents(objects []*unstructured.Unstructured) []any {
	list := make([]any, 0, len(objects))
	for _, object := range objects {
		list = append(list, object.Object)
	}
	return list
}

// recordOf returns the ConfigMap that records the last good objects of a component. It is one of the objects of the component.
func recordOf(mesh *v1alpha1.Mesh, component string, good *lastGood) (*unstructured.Unstructured, error) {
	packed := good.packed
	if packed == "" {
		var err error
		if packed, err = pack(good.objects); err != nil {
			return nil, fmt.Errorf("the objects cannot be recorded: %w", err)
		}
	}
	record := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "binaryData": map[string]any{recordedFile: packed},
	}}
	record.SetNamespace(good.objects[0].GetNamespace())
	record.SetName(recordName(component))
	record.SetLabels(operand.Labels(mesh.Name, ""))
	record.SetAnnotations(map[string]string{recordedKeyAnnotation: good.key, recordedVersionAnnotation: good.version})
	return record, nil
}

// pack compresses objects: those of Grafana are almost as large as a ConfigMap may be.
func pack(objects []*unstructured.Unstructured) (string, error) {
	text, err := json.Marshal(contents(objects))
	if err != nil {
		return "", err
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err = writer.Write(text)
	if err := errors.Join(err, writer.Close()); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

// readRecord returns the recorded objects of a component, or nil if none are recorded. A record that cannot be read counts as none: the next
// good objects replace it.
func (r *Reconciler) readRecord(ctx context.Context, component, namespace string) (*lastGood, error) {
	record, err := r.readLive(ctx, reference("v1", "ConfigMap", namespace, recordName(component)))
	if err != nil || record == nil {
		return nil, err
	}
	packed, _, _ := unstructured.NestedString(record.Object, "binaryData", recordedFile)
	objects, err := unpack(packed)
	if err != nil || len(objects) == 0 {
		return nil, nil //nolint:nilerr // See the comment of the function.
	}
	annotations := record.GetAnnotations()
	return &lastGood{objects: objects, key: annotations[recordedKeyAnnotation], version: annotations[recordedVersionAnnotation], packed: packed}, nil
}

// unpack reads the objects of a record.
func unpack(packed string) ([]*unstructured.Unstructured, error) {
	reader, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(packed)))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	var list []map[string]any
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, object := range list {
		objects = append(objects, withoutOwner(&unstructured.Unstructured{Object: object}))
	}
	return objects, nil
}

// readLive reads an object from the cache. It returns nil if the object does not exist.
func (r *Reconciler) readLive(ctx context.Context, reference v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetAPIVersion(reference.APIVersion)
	live.SetKind(reference.Kind)
	err := r.Objects.Get(ctx, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be read: %w", reference.Kind, reference.Name, err)
	}
	return live, nil
}

// withoutServerFields returns the content of a live object that an operator can apply again.
func withoutServerFields(live *unstructured.Unstructured) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": live.GetAPIVersion(), "kind": live.GetKind()}}
	for _, field := range []string{"spec", "data", "binaryData"} {
		if content, found := live.Object[field]; found {
			object.Object[field] = content
		}
	}
	object.SetNamespace(live.GetNamespace())
	object.SetName(live.GetName())
	object.SetLabels(live.GetLabels())
	annotations := live.GetAnnotations()
	for _, written := range []string{apply.HashAnnotation, "deployment.kubernetes.io/revision"} {
		delete(annotations, written)
	}
	object.SetAnnotations(annotations)
	return withoutOwner(object.DeepCopy())
}

// withoutOwner removes from an object what earlier operators wrote: the owner, and the label that makes an object without owner part of an Argo CD
// Application.
func withoutOwner(object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetOwnerReferences(nil)
	labels := object.GetLabels()
	delete(labels, names.InstanceLabel)
	object.SetLabels(labels)
	return object
}
