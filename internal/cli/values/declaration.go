package values

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Declaration is the desired state of an installation.
type Declaration struct {
	Mesh *v1alpha1.Mesh
	// MeshConfig holds MeshConfig fields that the Mesh does not have. It may be nil.
	MeshConfig map[string]any
	// Notes describe values that have no effect because they match the default.
	Notes []string

	provider certificateProvider
	// exists is true for a mesh that is installed already.
	exists bool
}

// Translate returns the declaration of a new mesh: OSM's presets (permissive mode and egress enabled), overridden by sets.
func Translate(name, namespace string, sets []string) (*Declaration, error) {
	return declare(name, namespace, &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(true)}, sets)
}

// Inherit returns the declaration of a mesh with an existing MeshConfig: only sets are changed.
func Inherit(name, namespace string, sets []string) (*Declaration, error) {
	return declare(name, namespace, nil, sets)
}

func declare(name, namespace string, traffic *v1alpha1.TrafficSpec, sets []string) (*Declaration, error) {
	d := &Declaration{Mesh: &v1alpha1.Mesh{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.MeshSpec{Namespace: &namespace, Traffic: traffic},
	}}
	return d, d.setAll(sets)
}

// Changes returns a declaration with only the fields in sets, for an existing mesh.
func Changes(name string, sets []string) (*Declaration, error) {
	d := &Declaration{Mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}}, exists: true}
	return d, d.setAll(sets)
}

// setAll applies the arguments of --set in their order.
func (d *Declaration) setAll(sets []string) error {
	assignments, err := parse(sets)
	if err != nil {
		return err
	}
	for _, a := range assignments {
		if err := d.set(a); err != nil {
			return fmt.Errorf("--set %s=%s: %w", a.name, a.value, err)
		}
	}
	return d.setProvider()
}

func (d *Declaration) set(a assignment) error {
	if d.exists && (a.name == "osm.meshName" || a.name == "osm.osmNamespace") {
		return errors.New("name and namespace of a mesh are immutable: uninstall the mesh and install a new one")
	}
	if translate := translations[a.name]; translate != nil {
		return translate(d, a.value)
	}
	for _, r := range unsupportedValues {
		if a.name == r.prefix || strings.HasPrefix(a.name, r.prefix+".") {
			if slices.Contains(r.harmless, a.value) {
				d.Notes = append(d.Notes, fmt.Sprintf("--set %s=%s has no effect: it is the default", a.name, a.value))
				return nil
			}
			return fmt.Errorf("%s", r.instead)
		}
	}
	if flag, found := strings.CutPrefix(a.name, "osm.featureFlags."); found && isFeatureFlag(flag) {
		return config(parseBool, "featureFlags", flag)(d, a.value)
	}
	return fmt.Errorf("unknown value, or a value without an equivalent in the Mesh; see `kubectl explain mesh.spec` for the fields of a Mesh")
}

// assignment is a "name=value" argument.
type assignment struct{ name, value string }

// parse reads --set arguments with Helm's syntax: commas separate assignments, braces hold lists, and a backslash escapes the next
// character.
func parse(sets []string) ([]assignment, error) {
	var all []assignment
	for _, set := range sets {
		for _, part := range split(set) {
			name, value, found := strings.Cut(part, "=")
			if !found || name == "" {
				return nil, fmt.Errorf("invalid --set %s: must be name=value, such as osm.enableEgress=true", part)
			}
			all = append(all, assignment{strings.TrimSpace(name), value})
		}
	}
	return all, nil
}

// split splits at commas that are neither escaped nor inside braces.
func split(text string) []string {
	var parts []string
	var part strings.Builder
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			part.WriteByte(text[i])
		case c == ',' && depth == 0:
			parts = append(parts, part.String())
			part.Reset()
		default:
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			}
			part.WriteByte(c)
		}
	}
	if part.Len() > 0 {
		parts = append(parts, part.String())
	}
	return parts
}

// list parses "{a,b}". Text without braces is a list with one item.
func list(text string) []string {
	inner, found := strings.CutPrefix(text, "{")
	if !found {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	inner = strings.TrimSuffix(inner, "}")
	var all []string
	for item := range strings.SplitSeq(inner, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

// unsupportedValue is a chart value, or a group of values, without an equivalent field.
type unsupportedValue struct {
	prefix string
	// instead is the alternative.
	instead string
	// harmless lists values that match the default, so they have no effect.
	harmless []string
}

var unsupportedValues = []unsupportedValue{
	{"osm.image", "images are determined by spec.version of the Mesh; for a mirror, set the RELATED_IMAGE variables of the operator's Deployment, or spec.controlPlane.images of the Mesh", nil},
	{"osm.imagePullSecrets", "set spec.controlPlane.imagePullSecrets of the Mesh", nil},
	{"osm.vault.token", "a token is read from a Secret only: create it in the namespace of the mesh, and set osm.vault.secret.name and osm.vault.secret.key", nil},
	{"osm.curlImage", "this image is not used", nil},
	{"osm.osmController.autoScale", "set spec.controlPlane.controller.autoscaling of the Mesh", []string{"false"}},
	{"osm.injector.autoScale", "set spec.controlPlane.injector.autoscaling of the Mesh", []string{"false"}},
	{"osm.osmController.enablePodDisruptionBudget", "the Deployments always have a PodDisruptionBudget", []string{"true"}},
	{"osm.injector.enablePodDisruptionBudget", "the Deployments always have a PodDisruptionBudget", []string{"true"}},
	{"osm.osmController.podLabels", "set spec.controlPlane.controller.labels of the Mesh", nil},
	{"osm.injector.podLabels", "set spec.controlPlane.injector.labels of the Mesh", nil},
	{"osm.osmController.nodeSelector", "set spec.controlPlane.nodeSelector of the Mesh", nil},
	{"osm.injector.nodeSelector", "set spec.controlPlane.nodeSelector of the Mesh", nil},
	{"osm.osmController.affinity", "set spec.controlPlane.affinity of the Mesh", nil},
	{"osm.injector.affinity", "set spec.controlPlane.affinity of the Mesh", nil},
	{"osm.osmController.tolerations", "set spec.controlPlane.tolerations of the Mesh", nil},
	{"osm.injector.tolerations", "set spec.controlPlane.tolerations of the Mesh", nil},
	{"osm.injector.webhookTimeoutSeconds", "the timeout of the webhook is always 20 seconds", []string{"20"}},
	{"osm.osmController", "not supported: see spec.controlPlane of the Mesh for the supported fields", nil},
	{"osm.injector", "not supported: see spec.controlPlane of the Mesh for the supported fields", nil},
	{"osm.osmBootstrap", "there is no osm-bootstrap: the operator replaces it", nil},
	{"osm.controlPlaneTolerations", "set spec.controlPlane.tolerations of the Mesh", nil},
	{"osm.preinstall", "there is no preinstall job: use `osm check --pre-install`", nil},
	{"osm.cleanup", "there is no cleanup job: the operator removes all resources", nil},
	{"osm.enforceSingleMesh", "use --enforce-single-mesh", nil},
	{"osm.caBundleSecretName", "the Secret is always named osm-ca-bundle", []string{"osm-ca-bundle"}},
	{"osm.webhookConfigNamePrefix", "the webhook is always named osm-webhook-<mesh>", []string{"osm-webhook"}},
	{"osm.validatorWebhook", "the webhook is always named osm-validator-mesh-<mesh>", []string{""}},
	{"osm.enableReconciler", "the operator always corrects drift", []string{"true"}},
	{"osm.enableFluentbit", "Fluent Bit is not deployed: logs are written to standard output", []string{"false"}},
	{"osm.prometheus.port", "the port of Prometheus is always 7070", []string{"7070"}},
	{"osm.prometheus", "set spec.observability.prometheus.managed in the Mesh", nil},
	{"osm.grafana.port", "the port of Grafana is always 3000", []string{"3000"}},
	{"osm.grafana", "set spec.observability.grafana.managed in the Mesh", nil},
	{"osm.fluentBit", "Fluent Bit is not deployed: logs are written to standard output", nil},
	{"osm.multicluster", "multicluster meshes are not supported", []string{"false"}},
	{"osm.featureFlags.enableMulticlusterMode", "multicluster meshes are not supported", []string{"false"}},
	{"osm.featureFlags.enableMeshRootCertificate", "MeshRootCertificates always have an effect", []string{"true"}},
	{"smi.validateTrafficTarget", "TrafficTargets are always validated", []string{"true"}},
	{"contour.enabled", "Contour is not deployed: install your own", []string{"false"}},
	{"contour", "Contour is not deployed: install your own", nil},
}
