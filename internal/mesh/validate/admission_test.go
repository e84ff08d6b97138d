package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// raw is an object as it appears in a review; an empty text is no object.
func raw(t *testing.T, text string) runtime.RawExtension {
	t.Helper()
	if text == "" {
		return runtime.RawExtension{}
	}
	encoded, err := json.Marshal(parse(t, text).Object)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: encoded}
}

func TestAdmission(t *testing.T) {
	labelled := strings.Replace(badTarget, "{name: x,", "{name: x, labels: {a: b},", 1)
	empty := target + "spec: {destination: {kind: ServiceAccount, name: a, namespace: shop}}"
	homeless := strings.Replace(goodTarget, ", namespace: shop}", "}", 1)
	for name, c := range map[string]struct {
		operation   admissionv1.Operation
		object, old string
		allowed     bool
		message     string
		warnings    int
	}{
		"good":                             {admissionv1.Create, goodTarget, "", true, "", 0},
		"threat 36, destination elsewhere": {admissionv1.Create, badTarget, "", false, "create it in the namespace of its destination", 0},
		"threat 35, grants nothing":        {admissionv1.Create, empty, "", true, "", 2},
		"from good to bad":                 {admissionv1.Update, badTarget, goodTarget, false, "namespace of its destination", 0},
		"from bad to good":                 {admissionv1.Update, goodTarget, badTarget, true, "", 0},
		"a label on a bad one":             {admissionv1.Update, labelled, badTarget, true, "", 1},
		"deletion of a bad one":            {admissionv1.Delete, "", badTarget, true, "", 0},
		"namespace of the review":          {admissionv1.Create, homeless, "", true, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			response := Admission{}.Handle(context.Background(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: c.operation, Namespace: "shop", Object: raw(t, c.object), OldObject: raw(t, c.old),
			}})
			if response.Allowed != c.allowed || !strings.Contains(response.Result.Message, c.message) || len(response.Warnings) != c.warnings {
				t.Errorf("allowed %t, message %q, warnings %q", response.Allowed, response.Result.Message, response.Warnings)
			}
		})
	}
}

// Problems with related objects are warnings only. They are not checked when the object itself is denied.
func TestAdmissionWarnsAboutRelatedObjects(t *testing.T) {
	handler := Admission{CheckRelated: func(_ context.Context, u *unstructured.Unstructured) []ingest.Problem {
		return []ingest.Problem{{Reason: "Conflicted", Message: u.GetName() + " does nothing."}}
	}}
	for object, want := range map[string]admission.Response{
		goodTarget: admission.Allowed("").WithWarnings("x does nothing."),
		badTarget:  admission.Denied(""),
	} {
		response := handler.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Namespace: "shop", Object: raw(t, object),
		}})
		if response.Allowed != want.Allowed || !slices.Equal(response.Warnings, want.Warnings) {
			t.Errorf("allowed %t with warnings %q, want %t with %q", response.Allowed, response.Warnings, want.Allowed, want.Warnings)
		}
	}
}

func TestThreat12Reviews(t *testing.T) {
	handler, err := NewHTTPHandler(logr.Discard(), Admission{}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	review := func(object string) string {
		return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","namespace":"shop","object":` + object + `}}`
	}
	smi := func(kind, spec string) string {
		return `{"apiVersion":"specs.smi-spec.io/v1alpha4","kind":"` + kind + `","metadata":{"name":"x","namespace":"shop"},"spec":` + spec + `}`
	}
	for name, c := range map[string]struct {
		body    string
		allowed bool
	}{
		"good":             {review(smi("TCPRoute", `{"matches":{"ports":[80]}}`)), true},
		"empty":            {"", false},
		"not JSON":         {"\xff\xfe", false},
		"no object":        {review("null"), false},
		"not an object":    {review(`[1]`), false},
		"object of text":   {review(`"x"`), false},
		"8 MiB":            {review(smi("TCPRoute", `{"a":"`+strings.Repeat("a", 8<<20)+`"}`)), false},
		"deep":             {review(smi("TCPRoute", strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000))), false},
		"bad UTF-8":        {review(smi("HTTPRouteGroup", "{\"matches\":[{\"name\":\"m\",\"pathRegex\":\"\xff\"}]}")), false},
		"huge regex":       {review(smi("HTTPRouteGroup", `{"matches":[{"name":"m","pathRegex":"`+strings.Repeat("(a|", 300_000)+`"}]}`)), false},
		"regex that grows": {review(smi("HTTPRouteGroup", `{"matches":[{"name":"m","pathRegex":"((a{9}){99}){9}"}]}`)), false},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, "/validate", bytes.NewBufferString(c.body))
			request.Header.Set("Content-Type", "application/json")
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			var answer admissionv1.AdmissionReview
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil {
				t.Fatalf("no review in the answer %q: %v", recorder.Body, err)
			}
			if answer.Response.Allowed != c.allowed {
				t.Errorf("allowed is %t: %+v", answer.Response.Allowed, answer.Response.Result)
			}
			if status := answer.Response.Result; !c.allowed && (status == nil || status.Message == "" || status.Status == metav1.StatusSuccess) {
				t.Errorf("denied without a reason: %+v", status)
			}
		})
	}
}
