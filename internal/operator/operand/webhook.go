package operand

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fillWebhooks sets the Services, the certificates and the namespaces of a mesh in a webhook configuration. The set fields are the same in
// mutating and validating configurations.
func fillWebhooks(object *unstructured.Unstructured, p Parameters, bundle []byte) error {
	webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil {
		return err
	}
	for _, entry := range webhooks {
		webhook, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("a webhook is not an object")
		}
		if err := unstructured.SetNestedField(webhook, p.Namespace, "clientConfig", "service", "namespace"); err != nil {
			return err
		}
		if err := unstructured.SetNestedField(webhook, base64.StdEncoding.EncodeToString(bundle), "clientConfig", "caBundle"); err != nil {
			return err
		}
		if err := fillSelector(webhook, p); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(object.Object, webhooks, "webhooks")
}

// fillSelector sets the included and the excluded namespaces of a webhook.
func fillSelector(webhook map[string]any, p Parameters) error {
	for label, value := range map[string]string{names.MonitoredByLabel: p.Mesh, corev1.LabelMetadataName: p.Namespace} {
		if _, found, _ := unstructured.NestedString(webhook, "namespaceSelector", "matchLabels", label); !found {
			continue
		}
		if err := unstructured.SetNestedField(webhook, value, "namespaceSelector", "matchLabels", label); err != nil {
			return err
		}
	}
	expressions, found, err := unstructured.NestedSlice(webhook, "namespaceSelector", "matchExpressions")
	if err != nil || !found {
		return err
	}
	for _, entry := range expressions {
		expression, ok := entry.(map[string]any)
		if !ok || expression["key"] != corev1.LabelMetadataName {
			continue
		}
		expression["values"] = excludedNamespaces(expression["values"], p)
	}
	return unstructured.SetNestedSlice(webhook, expressions, "namespaceSelector", "matchExpressions")
}

// excludedNamespaces adds the namespaces of the control plane and of the operator to those of the manifest.
func excludedNamespaces(listed any, p Parameters) []any {
	values := []any{}
	seen := map[any]bool{}
	list, _ := listed.([]any)
	for _, name := range append(list, p.Namespace, p.OperatorNamespace) {
		if name != "" && !seen[name] {
			seen[name] = true
			values = append(values, name)
		}
	}
	return values
}

// CommitFile is the file in the folder of a frozen version with the commit that it was built from.
const CommitFile = "COMMIT"

// digest matches the digest of an image reference.
var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

// commit matches a full git commit.
var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Freeze returns the files of a frozen version by name: the current manifests with the given images, and the commit. Each image needs
// a digest, so that the version never changes.
func Freeze(images Images, builtFrom string) (map[string][]byte, error) {
	for _, reference := range []string{images.Controller, images.Injector, images.Init, images.Sidecar} {
		if !digest.MatchString(reference) {
			return nil, fmt.Errorf("the image %q has no digest: a frozen version needs immutable images, such as name:tag@sha256:<hash>", reference)
		}
	}
	if !commit.MatchString(builtFrom) {
		return nil, fmt.Errorf("%q is not a commit: give its 40 hexadecimal digits", builtFrom)
	}
	files, err := fs.Sub(manifests, "manifests")
	if err != nil {
		return nil, fmt.Errorf("the embedded manifests cannot be opened: %w", err)
	}
	objects, err := readFolder(files, currentFolder)
	if err != nil {
		return nil, err
	}
	frozen := map[string][]byte{CommitFile: []byte(builtFrom + "\n")}
	for name, documents := range objects {
		var text bytes.Buffer
		for i, object := range documents {
			if object.GetKind() == "Deployment" {
				if err := editDeployment(object, func(d *deployment) error { setImages(d, images); return nil }); err != nil {
					return nil, fmt.Errorf("the Deployment %s cannot be frozen: %w", object.GetName(), err)
				}
			}
			document, err := yaml.Marshal(object.Object)
			if err != nil {
				return nil, fmt.Errorf("%s %s cannot be written: %w", object.GetKind(), object.GetName(), err)
			}
			if i > 0 {
				text.WriteString("---\n")
			}
			text.Write(document)
		}
		frozen[name] = text.Bytes()
	}
	return frozen, nil
}

// setImages sets the images of all containers of a Deployment.
func setImages(d *deployment, images Images) {
	for i := range d.Spec.Template.Spec.Containers {
		fillImages(&d.Spec.Template.Spec.Containers[i], images)
	}
}
