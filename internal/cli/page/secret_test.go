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
	get := func(path string, cookies ...*http.Cookie) (int, []*http.Cookie) {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		result := answer.Result()
		defer result.Body.Close()
		return result.StatusCode, result.Cookies()
	}
	code, cookies := get(page.Address("", "right"))
	if code != http.StatusOK || len(cookies) != 1 || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the printed address: %d with the cookies %v", code, cookies)
	}
	if code, _ := get("/state", cookies...); code != http.StatusOK {
		t.Errorf("a later request: %d, want 200", code)
	}
	wrong := &http.Cookie{Name: cookies[0].Name, Value: "wrong"}
	for path, sent := range map[string][]*http.Cookie{"/state": nil, "/?secret=wrong": nil, "/?secret=": nil, "/": {wrong}} {
		if code, given := get(path, sent...); code != http.StatusForbidden || len(given) > 0 {
			t.Errorf("%s with the cookies %v: %d with the cookies %v", path, sent, code, given)
		}
	}
}
