package ingest

import (
	"reflect"
	"testing"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	splitv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// TestEveryFieldCanBeDecoded decodes a value into each field of each API type.
func TestEveryFieldCanBeDecoded(t *testing.T) {
	for _, spec := range []any{
		policyv1alpha1.BackpressureSpec{},
		policyv1alpha1.EgressSpec{},
		policyv1alpha1.ExternalAuthorizationSpec{},
		policyv1alpha1.IngressBackendSpec{},
		policyv1alpha1.RetrySpec{},
		policyv1alpha1.TelemetrySpec{},
		policyv1alpha1.UpstreamTrafficSettingSpec{},
		configv1alpha2.ExtensionServiceSpec{},
		accessv1alpha3.TrafficTargetSpec{},
		specsv1alpha4.HTTPRouteGroupSpec{},
		specsv1alpha4.TCPRouteSpec{},
		splitv1alpha4.TrafficSplitSpec{},
	} {
		var found Problems
		out := reflect.New(reflect.TypeOf(spec)).Elem()
		if !decode("spec", sample(out.Type()), out, &found) {
			t.Errorf("%T cannot be decoded: %+v", spec, found)
		}
		checkSet(t, out.Type().String(), out)
	}
}

// sample is the value of an unstructured object that sets every field of a type.
func sample(of reflect.Type) any {
	switch of.Kind() {
	case reflect.Pointer:
		return sample(of.Elem())
	case reflect.Slice:
		return []any{sample(of.Elem())}
	case reflect.Map:
		return map[string]any{"key": sample(of.Elem())}
	case reflect.String:
		return "text"
	case reflect.Bool:
		return true
	case reflect.Struct:
		fields := map[string]any{}
		for i, name := range fieldNames(of) {
			if name != "" {
				fields[name] = sample(of.Field(i).Type)
				continue
			}
			for key, value := range sample(of.Field(i).Type).(map[string]any) {
				fields[key] = value
			}
		}
		return fields
	}
	return int64(1)
}

// checkSet verifies that no field is a zero value.
func checkSet(t *testing.T, path string, value reflect.Value) {
	t.Helper()
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			checkSet(t, path, value.Elem())
			return
		}
	case reflect.Slice:
		if value.Len() == 1 {
			checkSet(t, path+"[]", value.Index(0))
			return
		}
	case reflect.Struct:
		for i := range value.NumField() {
			checkSet(t, path+"."+value.Type().Field(i).Name, value.Field(i))
		}
		return
	}
	if value.IsZero() {
		t.Errorf("%s is not decoded", path)
	}
}

// TestNumberBeyondItsType checks that a number is never stored as another one.
func TestNumberBeyondItsType(t *testing.T) {
	for _, number := range []any{int64(1 << 31), int64(-1<<31 - 1), 1e12} {
		var found Problems
		spec, ok := DecodeSpec[policyv1alpha1.EgressSpec](map[string]any{"ports": []any{map[string]any{"number": number}}}, &found)
		if ok || len(found) != 1 || found[0].Reason != ReasonMalformed || spec.Ports[0].Number != 0 {
			t.Errorf("%v is decoded as %d with the problems %+v", number, spec.Ports[0].Number, found)
		}
	}
}

// TestNilMapIsAbsent checks that a nil map of an object that was built in Go is the null that it is in JSON.
func TestNilMapIsAbsent(t *testing.T) {
	var found Problems
	spec, ok := DecodeSpec[policyv1alpha1.TelemetrySpec](map[string]any{"accessLog": map[string]any(nil)}, &found)
	if !ok || spec.AccessLog != nil {
		t.Errorf("the log is %+v with the problems %+v, want none", spec.AccessLog, found)
	}
}

// TestNullInMapIsZero checks that null in a map is the zero value, as in JSON.
func TestNullInMapIsZero(t *testing.T) {
	var found Problems
	spec, ok := DecodeSpec[policyv1alpha1.TelemetrySpec](map[string]any{"selector": map[string]any{"app": nil, "tier": "web"}}, &found)
	if value, exists := spec.Selector["app"]; !ok || len(found) > 0 || value != "" || !exists || spec.Selector["tier"] != "web" {
		t.Errorf("the selector is %+v with the problems %+v, want an empty label and another one", spec.Selector, found)
	}
}

// TestInlinedFieldsKeepProblems checks that a valid inlined part does not hide an invalid field before it.
func TestInlinedFieldsKeepProblems(t *testing.T) {
	type inlined struct {
		B string `json:"b"`
	}
	var found Problems
	if _, ok := DecodeSpec[struct {
		A       string `json:"a"`
		inlined `json:",inline"`
	}](map[string]any{"a": int64(1)}, &found); ok || len(found) != 1 {
		t.Errorf("decoded %t with the problems %+v, want one", ok, found)
	}
}
