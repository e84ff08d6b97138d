package bundle

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	semver "github.com/blang/semver/v4"
	"github.com/operator-framework/api/pkg/lib/version"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// repository is the address of the project.
const repository = "https://github.com/openservicemesh/osm-operator"

// policyRules allow the operator to apply its admission policies, because OLM rejects them in a bundle.
var policyRules = []rbacv1.PolicyRule{{
	APIGroups: []string{"admissionregistration.k8s.io"},
	Resources: []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"},
	Verbs:     []string{"create", "get", "list", "patch", "watch"},
}}

// serviceVersion is the ClusterServiceVersion of a bundle.
func serviceVersion(in Input, m *manifests) (*operatorsv1alpha1.ClusterServiceVersion, error) {
	parsed, err := semver.ParseTolerant(in.Version)
	if err != nil {
		return nil, fmt.Errorf("the version %q is invalid: %w", in.Version, err)
	}
	deployment := m.deployments[0].DeepCopy()
	container := &deployment.Spec.Template.Spec.Containers[0]
	container.Args = append(container.Args, "--apply-admission-policies")
	images := relatedImages(deployment, in.Images)
	for _, name := range slices.Sorted(maps.Keys(in.Recorded)) {
		images = append(images, operatorsv1alpha1.RelatedImage{Name: name, Image: in.Recorded[name]})
	}
	examples, err := examples(in.Samples)
	if err != nil {
		return nil, err
	}
	permissions, err := strategyPermissions(m)
	if err != nil {
		return nil, err
	}
	csv := &operatorsv1alpha1.ClusterServiceVersion{
		TypeMeta: metav1.TypeMeta{APIVersion: operatorsv1alpha1.ClusterServiceVersionAPIVersion, Kind: operatorsv1alpha1.ClusterServiceVersionKind},
		ObjectMeta: metav1.ObjectMeta{
			Name: Package + "." + in.Version, Namespace: "placeholder", Annotations: annotations(in, deployment, examples), Labels: architectures(),
		},
		Spec: description(in),
	}
	csv.Spec.Version = version.OperatorVersion{Version: parsed}
	if in.Replaces != "" {
		csv.Spec.Replaces = Package + "." + in.Replaces
	}
	permissions.DeploymentSpecs = []operatorsv1alpha1.StrategyDeploymentSpec{{Name: deployment.Name, Label: deployment.Labels, Spec: deployment.Spec}}
	csv.Spec.InstallStrategy = operatorsv1alpha1.NamedInstallStrategy{StrategyName: operatorsv1alpha1.InstallStrategyNameDeployment, StrategySpec: permissions}
	csv.Spec.CustomResourceDefinitions.Owned = owned(m.definitions)
	csv.Spec.RelatedImages = images
	return csv, nil
}

// relatedImages replaces the images of the Deployment by those of the release, and lists them.
func relatedImages(deployment *appsv1.Deployment, released map[string]string) []operatorsv1alpha1.RelatedImage {
	pinned := func(reference string) string {
		if found := released[reference]; found != "" {
			return found
		}
		return reference
	}
	container := &deployment.Spec.Template.Spec.Containers[0]
	container.Image = pinned(container.Image)
	images := []operatorsv1alpha1.RelatedImage{{Name: deployment.Name, Image: container.Image}}
	for i, variable := range container.Env {
		if name, isImage := strings.CutPrefix(variable.Name, "RELATED_IMAGE_"); isImage {
			container.Env[i].Value = pinned(variable.Value)
			images = append(images, operatorsv1alpha1.RelatedImage{Name: strings.ReplaceAll(strings.ToLower(name), "_", "-"), Image: container.Env[i].Value})
		}
	}
	return images
}

// strategyPermissions are the permissions of the operator's ServiceAccount.
func strategyPermissions(m *manifests) (operatorsv1alpha1.StrategyDetailsDeployment, error) {
	cluster, own := slices.Clone(policyRules), []rbacv1.PolicyRule(nil)
	for _, name := range m.boundCluster {
		role, exists := m.clusterRoles[name]
		if !exists {
			return operatorsv1alpha1.StrategyDetailsDeployment{}, fmt.Errorf("a binding refers to the missing ClusterRole %s", name)
		}
		cluster = append(cluster, role.Rules...)
	}
	for _, name := range m.bound {
		role, exists := m.roles[name]
		if !exists {
			return operatorsv1alpha1.StrategyDetailsDeployment{}, fmt.Errorf("a binding refers to the missing Role %s", name)
		}
		own = append(own, role.Rules...)
	}
	return operatorsv1alpha1.StrategyDetailsDeployment{
		ClusterPermissions: []operatorsv1alpha1.StrategyDeploymentPermissions{{ServiceAccountName: names.Operator, Rules: cluster}},
		Permissions:        []operatorsv1alpha1.StrategyDeploymentPermissions{{ServiceAccountName: names.Operator, Rules: own}},
	}, nil
}

// examples is the annotation alm-examples: the samples as a JSON list.
func examples(samples [][]byte) (string, error) {
	var all []json.RawMessage
	for _, sample := range samples {
		content, err := yaml.YAMLToJSON(sample)
		if err != nil {
			return "", fmt.Errorf("cannot read a sample: %w", err)
		}
		all = append(all, content)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	return string(text), err
}

func architectures() map[string]string {
	return map[string]string{
		"operatorframework.io/arch.amd64": "supported", "operatorframework.io/arch.arm64": "supported",
		"operatorframework.io/os.linux": "supported",
	}
}

// annotations are what catalogs show about a version.
func annotations(in Input, deployment *appsv1.Deployment, examples string) map[string]string {
	const features = "features.operators.openshift.io/"
	all := map[string]string{
		"alm-examples":   examples,
		"capabilities":   "Deep Insights",
		"categories":     "Networking",
		"containerImage": deployment.Spec.Template.Spec.Containers[0].Image,
		"description":    "Installs, upgrades and observes a service mesh with Envoy sidecars, with the APIs of Open Service Mesh and SMI.",
		"repository":     repository,
		"support":        "Community",
		"operatorframework.io/suggested-namespace":        names.OperatorNamespace,
		"operators.operatorframework.io/internal-objects": `["meshrevisions.operator.openservicemesh.io"]`,
	}
	for _, feature := range []string{
		"cnf", "cni", "csi", "fips-compliant", "proxy-aware", "tls-profiles", "token-auth-aws",
		"token-auth-azure", "token-auth-gcp",
	} {
		all[features+feature] = "false"
	}
	all[features+"disconnected"] = "true"
	if in.Created != "" {
		all["createdAt"] = in.Created
	}
	return all
}

// description is the part of the ClusterServiceVersion for readers.
func description(in Input) operatorsv1alpha1.ClusterServiceVersionSpec {
	return operatorsv1alpha1.ClusterServiceVersionSpec{
		DisplayName:    "Open Service Mesh",
		Description:    in.Description,
		Keywords:       []string{"service mesh", "envoy", "smi", "osm", "mtls", "security", "traffic"},
		Maintainers:    []operatorsv1alpha1.Maintainer{{Name: "Open Service Mesh operator authors", Email: "openservicemesh@googlegroups.com"}},
		Provider:       operatorsv1alpha1.AppLink{Name: "Open Service Mesh", URL: repository},
		Maturity:       "alpha",
		MinKubeVersion: names.OldestKubernetes,
		Icon:           []operatorsv1alpha1.Icon{{Data: base64.StdEncoding.EncodeToString(in.Icon), MediaType: "image/svg+xml"}},
		Links: []operatorsv1alpha1.AppLink{
			{Name: "Documentation", URL: repository + "/tree/main/docs"},
			{Name: "Source code", URL: repository},
		},
		InstallModes: []operatorsv1alpha1.InstallMode{
			{Type: operatorsv1alpha1.InstallModeTypeOwnNamespace},
			{Type: operatorsv1alpha1.InstallModeTypeSingleNamespace},
			{Type: operatorsv1alpha1.InstallModeTypeMultiNamespace},
			{Type: operatorsv1alpha1.InstallModeTypeAllNamespaces, Supported: true},
		},
	}
}
