package operand

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestHangingWebhookEnds checks that the API server waits for each webhook for a limited time, below the 34 seconds after which it ends a
// request itself. Its answer then names the webhook.
func TestHangingWebhookEnds(t *testing.T) {
	const longest = 20
	count := 0
	for _, object := range renderAll(t, testRelease(t), testParameters()) {
		webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range webhooks {
			webhook, ok := item.(map[string]any)
			if !ok {
				t.Fatalf("%s %s has the webhook %v, want an object", object.GetKind(), object.GetName(), item)
			}
			count++
			seconds, _, err := unstructured.NestedInt64(webhook, "timeoutSeconds")
			if err != nil || seconds < 1 || seconds > longest {
				t.Errorf("webhook %v of %s waits for %d seconds (%v), want 1 to %d", webhook["name"], object.GetName(), seconds, err, longest)
			}
			if policy := webhook["failurePolicy"]; policy != "Fail" && policy != "Ignore" {
				t.Errorf("webhook %v of %s has the failure policy %v, want Fail or Ignore", webhook["name"], object.GetName(), policy)
			}
		}
	}
	if count < 3 {
		t.Errorf("%d webhooks are rendered, want those of the injector and the validator", count)
	}
}
