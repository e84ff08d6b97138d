package takeover

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var errAway = errors.New("the API server is away")

// outage counts the requests to an API server and fails one of them, from 1; 0 for none.
type outage struct{ requests, failing int }

func (o *outage) next() error {
	if o.requests++; o.requests == o.failing {
		return errAway
	}
	return nil
}

// apiServer has some objects, and the outage if that is not nil.
func apiServer(t *testing.T, o *outage, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, apiextensionsv1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
	if o != nil {
		builder = builder.WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				return cmp.Or(o.next(), c.Get(ctx, key, object, options...))
			},
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				return cmp.Or(o.next(), c.List(ctx, list, options...))
			},
			Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
				return cmp.Or(o.next(), c.Patch(ctx, object, patch, options...))
			},
			Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
				return cmp.Or(o.next(), c.Delete(ctx, object, options...))
			},
		})
	}
	return builder.Build()
}

// TestOutages fails each single request of everything that asks the API server. The error is returned: what is not known is neither free nor gone.
func TestOutages(t *testing.T) {
	osm := map[string]string{names.NameLabel: names.AppName, names.InstanceLabel: "osm"}
	definition := func(name string) *apiextensionsv1.CustomResourceDefinition {
		d := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.NameLabel: names.AppName, reconcileLabel: "true"}}}
		service := &apiextensionsv1.ServiceReference{Namespace: "gone", Name: bootstrap}
		d.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Webhook: &apiextensionsv1.WebhookConversion{ClientConfig: &apiextensionsv1.WebhookClientConfig{Service: service}}}
		return d
	}
	objects := []client.Object{
		definition("egresses.policy.openservicemesh.io"), webhook("dead", "gone", osm), webhook(names.MutatingWebhook("osm"), "gone", osm),
		&configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-mesh", Name: names.MeshConfig}},
	}
	forward := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting)
	for name, ask := range map[string]func(context.Context, client.Client) error{
		"Claim": func(ctx context.Context, c client.Client) error {
			_, err := Claim(ctx, c, meshFrom(""), "osm-mesh")
			return err
		},
		"MayKeep": func(ctx context.Context, c client.Client) error {
			may, err := MayKeep(ctx, c, meshFrom(""), definition("d"))
			if may == (err != nil) {
				t.Errorf("may keep it: %t (%v)", may, err)
			}
			return err
		},
		"DeleteDeadWebhooks": func(ctx context.Context, c client.Client) error {
			return DeleteDeadWebhooks(ctx, c, c, events.NewFakeRecorder(10), meshFrom(""))
		},
		"ReleaseDefinitions": func(ctx context.Context, c client.Client) error {
			_, err := ReleaseDefinitions(ctx, c, c, apply.FieldManager)
			return err
		},
		"RepairFor": func(ctx context.Context, c client.Client) error {
			return NewConversions(c, c).RepairFor(ctx, meshFrom(""), events.NewFakeRecorder(10))
		},
		"Returns": func(ctx context.Context, c client.Client) error {
			_, _, err := Returns(ctx, c, forward)
			return err
		},
		"Limit": func(ctx context.Context, c client.Client) error {
			return Ordering{Reader: c, Calls: &fixedCalls{}}.Limit(ctx, forward, "osm-mesh", loads(""), &rollout.Limits{})
		},
	} {
		var whole outage
		if err := ask(t.Context(), apiServer(t, &whole, copies(objects)...)); err != nil || whole.requests == 0 {
			t.Errorf("%s: %v after %d requests", name, err, whole.requests)
		}
		for failing := range whole.requests {
			if err := ask(t.Context(), apiServer(t, &outage{failing: failing + 1}, copies(objects)...)); !errors.Is(err, errAway) {
				t.Errorf("%s: request %d of %d fails, and the error is %v", name, failing+1, whole.requests, err)
			}
		}
	}
}

func copies(objects []client.Object) (list []client.Object) {
	for _, object := range objects {
		list = append(list, object.DeepCopyObject().(client.Object))
	}
	return list
}

func webhook(name, namespace string, labels map[string]string) *admissionv1.MutatingWebhookConfiguration {
	service := &admissionv1.ServiceReference{Namespace: namespace, Name: names.Injector}
	return &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Webhooks:   []admissionv1.MutatingWebhook{{Name: "osm-inject.k8s.io", ClientConfig: admissionv1.WebhookClientConfig{Service: service}}},
	}
}

func injectorIn(namespace string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.Injector}}
}

// controllerIn is the Deployment of the controller of an OSM, or with other labels that of a mesh.
func controllerIn(namespace, mesh string, labels map[string]string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.Controller, Labels: map[string]string{names.AppLabel: names.Controller, names.MeshNameLabel: mesh}}}
	for key, value := range labels {
		d.Labels[key] = value
	}
	return d
}

// meshFrom is the Mesh osm, which takes over the OSM in a namespace; "" takes over none.
func meshFrom(namespace string) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{}
	if namespace != "" {
		mesh = adopting(v1alpha1.AdoptionPrepared, "")
		mesh.Spec.Adoption.From, mesh.Status.Adoption.From = &namespace, namespace
	}
	mesh.Name = "osm"
	return mesh
}

// TestClaim checks what keeps a Mesh from its namespace and its name, when it takes nothing over.
func TestClaim(t *testing.T) {
	own := map[string]string{names.MeshLabel: "osm"}
	annotated, owned, unrelated := controllerIn("osm-system", "osm", nil), controllerIn("osm-system", "osm", nil), controllerIn("osm-system", "osm", nil)
	annotated.Annotations = map[string]string{apply.HashAnnotation: "1"}
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh", Name: "osm", UID: "1", Controller: ptr.To(true)}}
	unrelated.Name = "shop"
	chart := controllerIn("osm-system", "osm", nil)
	chart.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "osm", UID: "1", Controller: ptr.To(true)}}
	address := "https://injector.example.com"
	outside := webhook("osm-webhook-osm", "", nil)
	outside.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{URL: &address}
	release := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-mesh", Name: names.Controller, Annotations: map[string]string{helmRelease: "shop"}}}
	plain, ofMesh := release.DeepCopy(), release.DeepCopy()
	plain.Annotations, ofMesh.Labels = nil, own
	for name, c := range map[string]struct {
		from    string
		objects []client.Object
		want    string
	}{
		"nothing":                                 {"", nil, ""},
		"its own Deployments":                     {"", []client.Object{controllerIn("osm-mesh", "osm", own)}, ""},
		"Deployments of OSM in its namespace":     {"", []client.Object{controllerIn("osm-mesh", "shop", nil)}, "Deployment osm-mesh/osm-controller exists"},
		"OSM of its name elsewhere":               {"", []client.Object{controllerIn("osm-system", "osm", nil)}, "Deployment osm-system/osm-controller exists"},
		"OSM of its name that it takes over":      {"osm-system", []client.Object{controllerIn("osm-system", "osm", nil)}, ""},
		"OSM of another name":                     {"", []client.Object{controllerIn("osm-system", "shop", nil)}, ""},
		"a Service of a Helm release":             {"", []client.Object{release}, "helm uninstall shop"},
		"a Service of nobody":                     {"", []client.Object{plain}, ""},
		"a Service of the mesh":                   {"", []client.Object{ofMesh}, ""},
		"a webhook of an injector elsewhere":      {"", []client.Object{webhook("osm-webhook-osm", "other", nil), injectorIn("other")}, "is answered by another injector"},
		"a webhook at an address":                 {"", []client.Object{outside}, "is answered by another injector"},
		"a webhook without its injector":          {"", []client.Object{webhook("osm-webhook-osm", "other", nil)}, ""},
		"a webhook of the mesh":                   {"", []client.Object{webhook("osm-webhook-osm", "other", own), injectorIn("other")}, ""},
		"a webhook of an injector in its place":   {"", []client.Object{webhook("osm-webhook-osm", "osm-mesh", nil), injectorIn("osm-mesh")}, ""},
		"a webhook of the OSM that it takes over": {"osm-system", []client.Object{webhook("osm-webhook-osm", "osm-system", nil), injectorIn("osm-system")}, ""},
		"a Deployment of an operator":             {"", []client.Object{annotated}, ""},
		"a Deployment of a Mesh":                  {"", []client.Object{owned}, ""},
		"a Deployment of an owner":                {"", []client.Object{chart}, "Deployment osm-system/osm-controller exists"},
		"a Deployment of another name":            {"", []client.Object{unrelated}, ""},
		"an add-on":                               {"", []client.Object{controllerIn(managedNamespace, "osm", nil)}, "az aks"},
		"a chart":                                 {"", []client.Object{controllerIn("osm-system", "osm", nil)}, "for this Mesh to take over"},
	} {
		got, err := Claim(t.Context(), apiServer(t, nil, c.objects...), meshFrom(c.from), "osm-mesh")
		if err != nil || (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
}

func TestAwaited(t *testing.T) {
	const blocked = "the trust domains differ"
	mesh := func(inEffect v1alpha1.AdoptionStep, reason string, generation int64) *v1alpha1.Mesh {
		m := adopting(v1alpha1.AdoptionPrepared, inEffect)
		m.Generation = 2
		if reason != "" {
			m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAdopting, Reason: reason, Message: blocked, ObservedGeneration: generation}}
		}
		return m
	}
	for name, c := range map[string]struct {
		mesh      *v1alpha1.Mesh
		want      string
		isBlocked bool
	}{
		"no takeover":    {&v1alpha1.Mesh{}, "", false},
		"prepared":       {mesh(v1alpha1.AdoptionPrepared, v1alpha1.ReasonAdoptionBlocked, 2), "", false},
		"begun":          {mesh("", "", 0), "namespace osm-system", false},
		"blocked":        {mesh("", v1alpha1.ReasonAdoptionBlocked, 2), blocked, true},
		"blocked before": {mesh("", v1alpha1.ReasonAdoptionBlocked, 1), "namespace osm-system", false},
		"not blocked":    {mesh("", "Other", 2), "namespace osm-system", false},
	} {
		got, isBlocked := Awaited(c.mesh)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || isBlocked != c.isBlocked {
			t.Errorf("%s: %q, blocked %t; want %q, %t", name, got, isBlocked, c.want, c.isBlocked)
		}
	}
}

// TestMayKeep checks that definitions of OSM are left alone while one runs that the mesh does not take over.
func TestMayKeep(t *testing.T) {
	theirs := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{names.NameLabel: names.AppName}}}
	running := controllerIn("osm-system", "osm", nil)
	for name, c := range map[string]struct {
		from       string
		definition *apiextensionsv1.CustomResourceDefinition
		running    []client.Object
		want       bool
	}{
		"left behind":       {"", theirs, nil, true},
		"of somebody else":  {"", &apiextensionsv1.CustomResourceDefinition{}, nil, false},
		"OSM runs":          {"", theirs, []client.Object{running}, false},
		"OSM is taken over": {"osm-system", theirs, []client.Object{running}, true},
		"another OSM runs":  {"other", theirs, []client.Object{running}, false},
	} {
		if got, err := MayKeep(t.Context(), apiServer(t, nil, c.running...), meshFrom(c.from), c.definition); got != c.want || err != nil {
			t.Errorf("%s: %t (%v), want %t", name, got, err, c.want)
		}
	}
}

func TestMayReplace(t *testing.T) {
	recorded := webhook("osm-webhook-osm", "osm-system", nil)
	recorded.Annotations = map[string]string{ReplacedAnnotation: "{}"}
	for name, c := range map[string]struct {
		live client.Object
		want bool
	}{
		"of the mesh":  {webhook("osm-webhook-osm", "osm-mesh", map[string]string{names.MeshLabel: "osm"}), true},
		"recorded":     {recorded, true},
		"not recorded": {webhook("osm-webhook-osm", "osm-system", nil), false},
	} {
		if got := MayReplace(c.live); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestDeadWebhooksAreDeleted checks which webhook configurations a removed OSM has left, and that those with the names of the mesh's own stay.
func TestDeadWebhooksAreDeleted(t *testing.T) {
	labels := func(more string) map[string]string {
		m := map[string]string{names.NameLabel: names.AppName, names.InstanceLabel: "osm"}
		if more != "" {
			m[more] = "osm"
		}
		return m
	}
	validating := &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "dead-validator", Labels: labels("")},
		Webhooks:   []admissionv1.ValidatingWebhook{{Name: "v.k8s.io", ClientConfig: webhook("", "gone", nil).Webhooks[0].ClientConfig}},
	}
	recorded := webhook("recorded", "gone", labels(""))
	recorded.Annotations = map[string]string{ReplacedAnnotation: "{}"}
	twice := webhook("served-by-the-second", "gone", labels(""))
	twice.Webhooks = append(twice.Webhooks, webhook("", "osm-system", nil).Webhooks...)
	twice.Webhooks[1].Name = "second.k8s.io"
	ownValidator := validating.DeepCopy()
	ownValidator.Name = names.ValidatingWebhook("osm")
	c := apiServer(t, nil, injectorIn("osm-system"), validating, recorded,
		webhook("dead", "gone", labels("")), twice, ownValidator, webhook(names.MutatingWebhook("osm"), "gone", labels("")),
		webhook("served", "osm-system", labels("")), webhook("ours", "gone", labels(names.MeshLabel)), webhook("elsewhere", "gone", nil))
	dead, err := DeadWebhooks(t.Context(), c, "osm")
	var found []string
	for _, object := range dead {
		found = append(found, object.GetName())
	}
	if want := []string{"dead", names.MutatingWebhook("osm"), "dead-validator", ownValidator.Name}; err != nil || !slices.Equal(found, want) {
		t.Errorf("dead are %v (%v), want %v", found, err, want)
	}
	recorder := events.NewFakeRecorder(10)
	if err := DeleteDeadWebhooks(t.Context(), c, c, recorder, meshFrom("")); err != nil {
		t.Fatal(err)
	}
	var left admissionv1.MutatingWebhookConfigurationList
	if err := c.List(t.Context(), &left); err != nil {
		t.Fatal(err)
	}
	found = nil
	for i := range left.Items {
		found = append(found, left.Items[i].Name)
	}
	slices.Sort(found)
	if want := []string{"elsewhere", names.MutatingWebhook("osm"), "ours", "recorded", "served", "served-by-the-second"}; !slices.Equal(found, want) || len(recorder.Events) != 2 {
		t.Errorf("left are %v with %d events, want %v", found, len(recorder.Events), want)
	}
}

// TestReleaseDefinitions checks which definitions an Open Service Mesh restores no more.
func TestReleaseDefinitions(t *testing.T) {
	definition := func(name string, more ...string) *apiextensionsv1.CustomResourceDefinition {
		d := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"keep": "x"}}}
		for _, key := range more {
			d.Labels[key] = map[string]string{names.NameLabel: names.AppName, reconcileLabel: "true"}[key]
		}
		return d
	}
	c := apiServer(t, nil,
		definition("egresses.policy.openservicemesh.io", names.NameLabel, reconcileLabel), definition("retries.policy.openservicemesh.io", names.NameLabel),
		definition("tcproutes.specs.smi-spec.io", reconcileLabel), definition("widgets.example.com", names.NameLabel, reconcileLabel))
	released, err := ReleaseDefinitions(t.Context(), c, c, apply.FieldManager)
	if want := []string{"egresses.policy.openservicemesh.io"}; err != nil || !slices.Equal(released, want) {
		t.Errorf("released %v (%v), want %v", released, err, want)
	}
	after := definition("egresses.policy.openservicemesh.io")
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(after), after); err != nil || after.Labels[reconcileLabel] != "" || after.Labels["keep"] != "x" {
		t.Errorf("the labels are %v (%v)", after.Labels, err)
	}
}

// TestIsOwnDefinition tells the definition of MeshConfigs from that of OSM, which has versions without a schema.
func TestIsOwnDefinition(t *testing.T) {
	version := func(field string) apiextensionsv1.CustomResourceDefinitionVersion {
		props := func(name string, inner apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
			return apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{name: inner}}
		}
		schema := props("spec", props("sidecar", props(field, apiextensionsv1.JSONSchemaProps{})))
		return apiextensionsv1.CustomResourceDefinitionVersion{Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &schema}}
	}
	none, empty := apiextensionsv1.CustomResourceDefinitionVersion{}, apiextensionsv1.CustomResourceDefinitionVersion{Schema: &apiextensionsv1.CustomResourceValidation{}}
	for name, c := range map[string]struct {
		versions []apiextensionsv1.CustomResourceDefinitionVersion
		want     bool
	}{
		"ours":            {[]apiextensionsv1.CustomResourceDefinitionVersion{none, empty, version("destinations")}, true},
		"OSM's":           {[]apiextensionsv1.CustomResourceDefinitionVersion{none, empty, version("logLevel")}, false},
		"without a field": {nil, false},
	} {
		definition := &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{Versions: c.versions}}
		if got := IsOwnDefinition(definition); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
