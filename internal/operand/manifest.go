package operand

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Release is one version of the control plane, ready to be rendered for any mesh.
type Release struct {
	// Version is the version that labels and status show.
	Version string
	// Images are the images that belong to the version.
	Images Images

	objects map[string][]*unstructured.Unstructured
}

// readFolder decodes the manifests of one version, by file name.
func readFolder(files fs.FS, folder string) (map[string][]*unstructured.Unstructured, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, fmt.Errorf("the manifests of the control plane cannot be listed: %w", err)
	}
	objects := map[string][]*unstructured.Unstructured{}
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".yaml" {
			continue
		}
		text, err := fs.ReadFile(files, path.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("the manifest %s cannot be read: %w", entry.Name(), err)
		}
		decoded, err := DecodeYAML(text)
		if err != nil {
			return nil, fmt.Errorf("the manifest %s of %s is damaged: %w", entry.Name(), folder, err)
		}
		objects[entry.Name()] = decoded
	}
	return objects, nil
}

// DecodeYAML reads the objects of a YAML text, one a document, in their order. Empty documents are passed over.
func DecodeYAML(text []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for number, document := range bytes.Split(text, []byte("\n---\n")) {
		asJSON, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d is not YAML: %w", number+1, err)
		}
		if string(asJSON) == "null" {
			continue
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(asJSON); err != nil {
			return nil, fmt.Errorf("document %d is not a Kubernetes object: %w", number+1, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// copies returns objects of some files that may be changed.
func (r *Release) copies(files ...string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range files {
		if _, ok := r.objects[file]; !ok {
			return nil, fmt.Errorf("version %s has no manifest %s", r.Version, file)
		}
		for _, object := range r.objects[file] {
			all = append(all, object.DeepCopy())
		}
	}
	return all, nil
}

// imagesOf reads the images that a frozen version was recorded with.
func imagesOf(objects map[string][]*unstructured.Unstructured) Images {
	var images Images
	for _, file := range []string{controllerFile, injectorFile} {
		for _, object := range objects[file] {
			if object.GetKind() != "Deployment" {
				continue
			}
			// A Deployment that cannot be read leaves its images empty, which rendering reports.
			_ = editDeployment(object, func(d *deployment) error {
				for i := range d.Spec.Template.Spec.Containers {
					readImages(&d.Spec.Template.Spec.Containers[i], &images)
				}
				return nil
			})
		}
	}
	return images
}
