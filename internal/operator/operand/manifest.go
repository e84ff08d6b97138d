package operand

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Release is one version of the control plane that can be rendered for any mesh.
type Release struct {
	// Version is the version in labels and status.
	Version string
	// Images are the images of the version.
	Images Images

	objects map[string][]*unstructured.Unstructured
}

// sidecarFlag is the flag of the injector with what new pods get.
const sidecarFlag = "sidecar"

// KeepsSidecars reports whether the injector of the version gives new pods what it was started with, and not what the MeshConfig has now.
func (r *Release) KeepsSidecars() bool {
	_, listed := r.injectorFlag(sidecarFlag)
	return listed
}

// slotsLevelFlag is the flag of the injector with the level of pods with two slots.
const slotsLevelFlag = "slots-level"

// SlotsLevel returns the level of the pods with two slots of the version. It is empty for a version that does not know such pods.
func (r *Release) SlotsLevel() string {
	level, _ := r.injectorFlag(slotsLevelFlag)
	return level
}

// peersPort is the name of the port of the controller for the control planes of other meshes.
const peersPort = "peers"

// ServesPeers reports whether the control plane of the version knows other meshes as peers.
func (r *Release) ServesPeers() bool {
	return slices.ContainsFunc(containersOf(r.objects[controllerFile]), func(c corev1ac.ContainerApplyConfiguration) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1ac.ContainerPortApplyConfiguration) bool { return ptr.Deref(p.Name, "") == peersPort })
	})
}

// injectorFlag returns the value of a flag in the manifest of the injector, and whether the manifest lists it.
func (r *Release) injectorFlag(name string) (value string, listed bool) {
	for _, container := range containersOf(r.objects[injectorFile]) {
		for _, argument := range container.Args {
			if flagName(argument) == name {
				_, value, _ = strings.Cut(argument, "=")
				return value, true
			}
		}
	}
	return "", false
}

// containersOf returns the containers of the Deployments among objects. A Deployment that cannot be read has none, which rendering reports.
func containersOf(objects []*unstructured.Unstructured) []corev1ac.ContainerApplyConfiguration {
	var containers []corev1ac.ContainerApplyConfiguration
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		_ = editDeployment(object.DeepCopy(), func(d *deployment) error {
			containers = append(containers, d.Spec.Template.Spec.Containers...)
			return nil
		})
	}
	return containers
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
			return nil, fmt.Errorf("the manifest %s of %s cannot be decoded: %w", entry.Name(), folder, err)
		}
		objects[entry.Name()] = decoded
	}
	return objects, nil
}

// DecodeYAML decodes the objects of a YAML stream in order, and skips empty documents.
func DecodeYAML(text []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d cannot be read: %w", number, err)
		}
		asJSON, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d is not YAML: %w", number, err)
		}
		if string(asJSON) == "null" {
			continue
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(asJSON); err != nil {
			return nil, fmt.Errorf("document %d is not a Kubernetes object: %w", number, err)
		}
		objects = append(objects, object)
	}
}

// copies returns copies of the objects of some files.
func (r *Release) copies(files ...string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range files {
		if _, ok := r.objects[file]; !ok {
			return nil, fmt.Errorf("version %s has no manifest %s", r.Version, file)
		}
		all = append(all, lists.Map(r.objects[file], (*unstructured.Unstructured).DeepCopy)...)
	}
	return all, nil
}

// imagesOf reads the images in the manifests of a frozen version.
func imagesOf(objects map[string][]*unstructured.Unstructured) Images {
	var images Images
	for _, container := range containersOf(slices.Concat(objects[controllerFile], objects[injectorFile])) {
		for field, image := range imageFields(&container, &images) {
			if *field != nil {
				*image = **field
			}
		}
	}
	return images
}
