package bundle_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	bundles "github.com/operator-framework/api/pkg/manifests"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/operator-framework/api/pkg/validation"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"

	"github.com/openservicemesh/osm-operator/internal/cli/images"
	"github.com/openservicemesh/osm-operator/internal/packaging/bundle"
	"github.com/openservicemesh/osm-operator/internal/packaging/folder"
)

// digest makes any reference complete.
const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// render writes the bundle of this checkout into a folder, with digests, and reads it as OLM does.
func render(t *testing.T, change func(*bundle.Input)) *bundles.Bundle {
	t.Helper()
	in, err := bundle.ReadInput(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&in)
	}
	files, err := bundle.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := folder.Replace(path, files); err != nil {
		t.Fatal(err)
	}
	loaded, err := bundles.GetBundleFromDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// validators are all validators but the one that pulls the images.
var validators = interfaces.Validators{
	validation.ClusterServiceVersionValidator, validation.CustomResourceDefinitionValidator, validation.BundleValidator, validation.OperatorHubV2Validator,
	validation.StandardCapabilitiesValidator, validation.StandardCategoriesValidator, validation.ObjectValidator, validation.OperatorGroupValidator,
	validation.CommunityOperatorValidator, validation.AlphaDeprecatedAPIsValidator, validation.GoodPracticesValidator,
}

// expected are the warnings that remain, by a part of their text.
var expected = []string{
	// The operator defines the kinds of SMI only where nobody else does, and never replaces those of others.
	"CSV contains permissions to create CRD",
	// The validator does not compare versions of APIs: all permissions are for the versions that Kubernetes has.
	"this bundle is using APIs which were deprecated and removed in v1.25",
	// MeshRevisions are internal, and the operator creates the MeshConfig.
	"Kind=MeshRevision: provided API should have an example annotation",
	"Kind=MeshConfig: provided API should have an example annotation",
}

func TestBundleIsValid(t *testing.T) {
	loaded := render(t, func(in *bundle.Input) { in.Created = "2026-11-30T00:00:00Z" })
	for _, result := range validators.Validate(loaded.ObjectsToValidate()...) {
		for _, finding := range append(result.Errors, result.Warnings...) {
			isExpected := func(text string) bool { return strings.Contains(finding.Error(), text) }
			if !slices.ContainsFunc(expected, isExpected) {
				t.Errorf("%s: %s", result.Name, finding.Error())
			}
		}
	}
	if want := 12; len(loaded.V1CRDs) < want {
		t.Errorf("the bundle has %d definitions, want at least %d", len(loaded.V1CRDs), want)
	}
}

// A missing definition is found, so TestBundleIsValid can fail.
func TestInvalidBundleIsFound(t *testing.T) {
	loaded := render(t, nil)
	loaded.CSV.Spec.CustomResourceDefinitions.Owned = loaded.CSV.Spec.CustomResourceDefinitions.Owned[1:]
	failed := false
	for _, result := range validators.Validate(loaded.ObjectsToValidate()...) {
		failed = failed || len(result.Errors) > 0
	}
	if !failed {
		t.Error("a bundle with a definition that its ClusterServiceVersion does not own is valid")
	}
}

// Each image that the operator may install is a related image, which mirrors of disconnected clusters need. Those of this project have digests.
func TestImagesHaveDigests(t *testing.T) {
	loaded := render(t, func(in *bundle.Input) {
		in.Images, in.Recorded = map[string]string{}, nil
		for _, line := range strings.Split(string(in.Manifests), "\n") {
			for _, field := range strings.Fields(line) {
				if strings.HasPrefix(field, "openservicemesh/") {
					in.Images[field] = "docker.io/" + field + digest
				}
			}
		}
	})
	related := map[string]bool{}
	for _, image := range loaded.CSV.Spec.RelatedImages {
		related[image.Image] = true
		if strings.Contains(image.Image, "openservicemesh/") && !strings.HasSuffix(image.Image, digest) {
			t.Errorf("image %s has no digest: %s", image.Name, image.Image)
		}
	}
	container := deployment(t, loaded).Spec.Template.Spec.Containers[0]
	for _, variable := range container.Env {
		if strings.HasPrefix(variable.Name, "RELATED_IMAGE_") && !related[variable.Value] {
			t.Errorf("%s is %s, which is no related image", variable.Name, variable.Value)
		}
	}
	if !related[container.Image] || loaded.CSV.Annotations["containerImage"] != container.Image {
		t.Errorf("the operator's image %s is no related image, or not the annotation containerImage", container.Image)
	}
}

// A Mesh can name each recorded version, also in a cluster whose mirror has only related images.
func TestImagesOfRecordedVersionsAreRelated(t *testing.T) {
	loaded := render(t, nil)
	related := map[string]bool{}
	for _, image := range loaded.CSV.Spec.RelatedImages {
		related[image.Image] = true
	}
	all, err := images.List("")
	if err != nil {
		t.Fatal(err)
	}
	recorded := 0
	for _, image := range all {
		if image.Version == all[0].Version {
			continue
		}
		if recorded++; !related[image.Source] {
			t.Errorf("%s of version %s is no related image", image.Source, image.Version)
		}
	}
	if recorded == 0 {
		t.Error("no recorded version has images")
	}
}

// What OLM rejects in bundles is applied by the operator, which has the permissions for it.
func TestOperatorAppliesAdmissionPolicies(t *testing.T) {
	loaded := render(t, nil)
	for _, object := range loaded.Objects {
		if strings.HasPrefix(object.GetKind(), "ValidatingAdmission") {
			t.Errorf("the bundle has %s %s", object.GetKind(), object.GetName())
		}
	}
	if args := deployment(t, loaded).Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--apply-admission-policies") {
		t.Errorf("the arguments of the operator are %v", args)
	}
	allowed := false
	for _, rule := range loaded.CSV.Spec.InstallStrategy.StrategySpec.ClusterPermissions[0].Rules {
		allowed = allowed || slices.Contains(rule.Resources, "validatingadmissionpolicies") && slices.Contains(rule.Verbs, "create")
	}
	if !allowed {
		t.Error("the operator may not apply admission policies")
	}
}

// Forms show a description of each field.
func TestFieldsAreDescribed(t *testing.T) {
	loaded := render(t, nil)
	for _, owned := range loaded.CSV.Spec.CustomResourceDefinitions.Owned {
		if owned.Description == "" || len(owned.SpecDescriptors) == 0 {
			t.Errorf("%s %s has the description %q and %d fields", owned.Kind, owned.Version, owned.Description, len(owned.SpecDescriptors))
		}
		for _, field := range owned.SpecDescriptors {
			if field.Description == "" || field.DisplayName == "" {
				t.Errorf("%s %s: field %s has no description", owned.Kind, owned.Version, field.Path)
			}
		}
	}
	var examples []map[string]any
	if err := json.Unmarshal([]byte(loaded.CSV.Annotations["alm-examples"]), &examples); err != nil || len(examples) < 10 {
		t.Errorf("there are %d examples: %v", len(examples), err)
	}
}

// deployment is the only Deployment of a bundle.
func deployment(t *testing.T, loaded *bundles.Bundle) operatorsv1alpha1.StrategyDeploymentSpec {
	t.Helper()
	specs := loaded.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs
	if len(specs) != 1 {
		t.Fatalf("the bundle has %d Deployments", len(specs))
	}
	return specs[0]
}
