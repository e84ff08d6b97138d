package bundle

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	semver "github.com/blang/semver/v4"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	yamlobjects "github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

const (
	// Package is the name of the package in catalogs.
	Package = "osm-operator"
	// DefaultChannel is the channel of subscriptions that name none.
	DefaultChannel = "stable"
	// Channels are all channels that have each bundle.
	Channels = "stable,candidate"
)

// Input is what a bundle is made from.
type Input struct {
	// Version is the version, such as v0.1.0, and Replaces the earlier version, or empty.
	Version, Replaces string
	// Created is the date of the release, such as 2026-11-30; empty for a version that is not released.
	Created string
	// Manifests is the YAML stream of the operator's manifests.
	Manifests []byte
	// Description is the long description in Markdown, and Icon an SVG image.
	Description string
	Icon        []byte
	// Samples are examples of the operator's kinds, as YAML documents.
	Samples [][]byte
	// Images maps references in the manifests to those of the release, which have digests. References that are missing are used as they are.
	Images map[string]string
	// Recorded are the images of recorded versions, which a Mesh can name, by their names in the list of related images.
	Recorded map[string]string
}

// Render returns the files of the bundle by their paths in it.
func Render(in Input) (map[string][]byte, error) {
	m, err := read(in.Manifests)
	if err != nil {
		return nil, err
	}
	if len(m.deployments) != 1 {
		return nil, fmt.Errorf("the manifests have %d Deployments, want that of the operator", len(m.deployments))
	}
	csv, err := serviceVersion(in, m)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"bundle.Dockerfile":           []byte(dockerfile()),
		"metadata/annotations.yaml":   annotationsFile(),
		"tests/scorecard/config.yaml": []byte(scorecard),
	}
	if err := write(files, Package+".clusterserviceversion.yaml", csv); err != nil {
		return nil, err
	}
	for _, object := range m.files() {
		if err := write(files, fileName(object.GetKind(), object.GetName()), object.Object); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// write adds a manifest without its empty status.
func write(files map[string][]byte, name string, object any) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&object)
	if asMap, isMap := object.(map[string]any); isMap {
		content, err = asMap, nil
	}
	if err != nil {
		return fmt.Errorf("cannot convert %s: %w", name, err)
	}
	delete(content, "status")
	text, err := yaml.Marshal(content)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	files["manifests/"+name] = text
	return nil
}

// fileName is the usual name of a manifest's file.
func fileName(kind, name string) string {
	return strings.ReplaceAll(name, ".", "-") + "_" + strings.ToLower(kind) + ".yaml"
}

// firstSample is the example that forms show first. The patterns are those of the other examples.
const firstSample = "config/samples/operator_v1alpha1_mesh.yaml"

var otherSamples = []string{"config/samples/operator_v1alpha1_meshpeer.yaml", "config/samples/policy_*.yaml", "config/samples/config_*.yaml"}

// releasedImages matches the list of images of each recorded version.
const releasedImages = "internal/operator/operand/manifests/*/IMAGES"

// ReadInput reads the input from a checkout, without images.
func ReadInput(checkout fs.FS) (Input, error) {
	var failed error
	file := func(name string) []byte {
		content, err := fs.ReadFile(checkout, name)
		if err != nil && failed == nil {
			failed = fmt.Errorf("cannot read the input of the bundle: %w", err)
		}
		return content
	}
	in := Input{
		Version:     strings.TrimSpace(string(file("VERSION"))),
		Manifests:   file("dist/install.yaml"),
		Description: string(file("config/manifests/description.md")),
		Icon:        file("config/manifests/icon.svg"),
	}
	in.Samples = append(in.Samples, file(firstSample))
	for _, pattern := range otherSamples {
		names, err := fs.Glob(checkout, pattern)
		if err != nil {
			return in, err
		}
		for _, name := range names {
			in.Samples = append(in.Samples, file(name))
		}
	}
	lists, err := fs.Glob(checkout, releasedImages)
	if err != nil {
		return in, err
	}
	in.Replaces = earlier(lists, in.Version)
	in.Recorded = map[string]string{}
	for _, list := range lists {
		if version := path.Base(path.Dir(list)); version != in.Version {
			if err := addRecorded(in.Recorded, version, file(list)); err != nil {
				return in, err
			}
		}
	}
	return in, failed
}

// ownImages are the images of a version that only its operator runs.
var ownImages = []string{"osm-operator", "osm-traffic-metrics"}

// addRecorded adds the images of a recorded version that later operators run and inject.
func addRecorded(images map[string]string, version string, list []byte) error {
	var recorded map[string]struct{ Reference, Digest string }
	if err := json.Unmarshal(list, &recorded); err != nil {
		return fmt.Errorf("the images of version %s cannot be read: %w", version, err)
	}
	for name, image := range recorded {
		if !slices.Contains(ownImages, name) {
			images[name+"-"+strings.ReplaceAll(version, ".", "-")] = image.Reference + "@" + image.Digest
		}
	}
	return nil
}

// earlier returns the highest released version below a version, or nothing. The folder of each list is named after its version.
func earlier(lists []string, version string) string {
	present, err := semver.ParseTolerant(version)
	if err != nil {
		return "" // the rendering of the bundle reports it
	}
	found, highest := "", semver.Version{}
	for _, list := range lists {
		name := path.Base(path.Dir(list))
		if v, err := semver.ParseTolerant(name); err == nil && v.LT(present) && v.GT(highest) {
			found, highest = name, v
		}
	}
	return found
}

// manifests are the manifests of the operator, by how OLM gets them.
type manifests struct {
	deployments  []appsv1.Deployment
	clusterRoles map[string]rbacv1.ClusterRole
	roles        map[string]rbacv1.Role
	// bound are the names of the roles of the operator's ServiceAccount, which are part of the ClusterServiceVersion.
	boundCluster, bound []string
	definitions         []apiextensionsv1.CustomResourceDefinition
	// policies are the admission policies and their bindings, which OLM rejects. The operator applies them.
	policies []*unstructured.Unstructured
	// others are files of the bundle as they are.
	others []*unstructured.Unstructured
}

// read sorts the documents of a YAML stream.
func read(stream []byte) (*manifests, error) {
	objects, err := yamlobjects.Decode(stream)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifests of the operator: %w", err)
	}
	m := &manifests{clusterRoles: map[string]rbacv1.ClusterRole{}, roles: map[string]rbacv1.Role{}}
	for _, object := range objects {
		if err := m.add(object); err != nil {
			return nil, fmt.Errorf("cannot read %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return m, nil
}

// add adds an object. Namespaces and ServiceAccounts come from OLM. A bundle cannot contain what this does not list.
func (m *manifests) add(object *unstructured.Unstructured) error {
	switch kind := object.GetKind(); kind {
	case "Namespace", "ServiceAccount":
	case "Deployment":
		return appendTo(object, &m.deployments)
	case "CustomResourceDefinition":
		m.others = append(m.others, object)
		return appendTo(object, &m.definitions)
	case "ClusterRole":
		m.others = append(m.others, object)
		return insertInto(object, m.clusterRoles)
	case "Role":
		return insertInto(object, m.roles)
	case "ClusterRoleBinding":
		m.boundCluster = append(m.boundCluster, roleOf(object))
	case "RoleBinding":
		m.bound = append(m.bound, roleOf(object))
	case "Service", "PodDisruptionBudget":
		m.others = append(m.others, object)
	case "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
		m.policies = append(m.policies, object)
	default:
		return fmt.Errorf("bundles cannot have kind %s", kind)
	}
	return nil
}

// files returns the objects that are files of the bundle, without the ClusterRoles that are part of the ClusterServiceVersion.
func (m *manifests) files() []*unstructured.Unstructured {
	bound := map[string]bool{}
	for _, name := range m.boundCluster {
		bound[name] = true
	}
	var files []*unstructured.Unstructured
	for _, object := range m.others {
		if object.GetKind() == "ClusterRole" && bound[object.GetName()] {
			continue
		}
		object = object.DeepCopy()
		object.SetNamespace("")
		files = append(files, object)
	}
	return files
}

func roleOf(binding *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name")
	return name
}

func appendTo[T any](object *unstructured.Unstructured, list *[]T) error {
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		return err
	}
	*list = append(*list, typed)
	return nil
}

func insertInto[T any](object *unstructured.Unstructured, byName map[string]T) error {
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		return err
	}
	byName[object.GetName()] = typed
	return nil
}
