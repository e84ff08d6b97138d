package page_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
)

// TestOtherUsersOfTheMachineAreRejected requests the page with the secret, then with its cookie, and without either.
func TestOtherUsersOfTheMachineAreRejected(t *testing.T) {
	handler := page.RequireSecret(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "right")
	get := func(path string, cookies ...*http.Cookie) *http.Response {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Result()
	}
	opened := get(page.Address("", "right"))
	if opened.StatusCode != http.StatusOK || len(opened.Cookies()) != 1 || opened.Cookies()[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the printed address: %d with the cookies %v", opened.StatusCode, opened.Cookies())
	}
	if code := get("/state", opened.Cookies()...).StatusCode; code != http.StatusOK {
		t.Errorf("a later request: %d, want 200", code)
	}
	for name, answer := range map[string]*http.Response{
		"no secret": get("/state"), "another secret": get("/?secret=wrong"), "an empty one": get("/?secret="),
		"another cookie": get("/state", &http.Cookie{Name: opened.Cookies()[0].Name, Value: "wrong"}),
	} {
		if answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
			t.Errorf("%s: %d with the cookies %v", name, answer.StatusCode, answer.Cookies())
		}
	}
}
