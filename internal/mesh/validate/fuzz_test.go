package validate

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
)

// FuzzReview sends any body to the webhook. It answers each one, and a denial has a message.
func FuzzReview(f *testing.F) {
	handler, err := NewHTTPHandler(logr.Discard(), Admission{}, prometheus.NewRegistry())
	if err != nil {
		f.Fatal(err)
	}
	for _, object := range []string{`null`, `{}`, `[]`, `{"kind":"TrafficTarget","spec":5}`, `{"apiVersion":"access.smi-spec.io/v1alpha3","kind":"TrafficTarget","metadata":{"namespace":"a","name":"b"},"spec":{"destination":{"namespace":"c"}}}`} {
		f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"a","kind":{"group":"access.smi-spec.io","version":"v1alpha3","kind":"TrafficTarget"},"object":` + object + `}}`))
	}
	f.Add([]byte(`{"request":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		answer := &admissionv1.AdmissionReview{}
		if err := json.Unmarshal(recorder.Body.Bytes(), answer); err != nil || answer.Response == nil {
			t.Fatalf("the response is not a review: %v\n%s", err, recorder.Body)
		}
		if !answer.Response.Allowed && answer.Response.Result.Message == "" {
			t.Error("the review is denied without a message")
		}
	})
}
