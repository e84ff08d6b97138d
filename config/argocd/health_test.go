package argocd

import (
	"testing"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

// TestHealthCheck runs the script in the interpreter that Argo CD has.
func TestHealthCheck(t *testing.T) {
	for name, tt := range map[string]struct{ object, status, message string }{
		"no status":                     {"", "Progressing", "waits for the operator to read this generation"},
		"status of an older generation": {"status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}", "Progressing", "waits for the operator to read this generation"},
		"ready":                         {status("{type: Ready, status: 'True', reason: Ready, message: all works}"), "Healthy", "all works"},
		"installing": {
			status("{type: Ready, status: Unknown, reason: Installing}, {type: Reconciling, status: 'True', reason: Installing, message: waits for the controller}"),
			"Progressing", "waits for the controller",
		},
		"no message":  {status("{type: Ready, status: Unknown, reason: Installing}, {type: Reconciling, status: 'True', reason: Installing}"), "Progressing", "Installing"},
		"no Ready":    {status("{type: Installed, status: 'True'}"), "Progressing", "waits for the condition Ready"},
		"failed":      {status("{type: Ready, status: 'False', reason: PodsFailing, message: a pod crashes}"), "Degraded", "a pod crashes"},
		"needs a fix": {status("{type: Ready, status: Unknown, reason: X}, {type: Stalled, status: 'True', reason: UnknownVersion, message: choose a version}"), "Degraded", "choose a version"},
		"rolled back": {
			status("{type: Ready, status: 'True'}, {type: Upgrading, status: 'False', reason: RolledBack, message: v2 was rejected}"),
			"Degraded", "v2 was rejected",
		},
		"a canary without namespaces": {
			status("{type: Ready, status: 'True'}, {type: Upgrading, status: 'False', reason: CanaryBlocked, message: no namespace}"),
			"Degraded", "no namespace",
		},
		"upgraded": {status("{type: Ready, status: 'True', message: all works}, {type: Upgrading, status: 'False', reason: UpToDate}"), "Healthy", "all works"},
		"upgrading": {
			status("{type: Ready, status: 'True'}, {type: Upgrading, status: 'True'}, {type: Reconciling, status: 'True', message: wave 2 of 3}"),
			"Progressing", "wave 2 of 3",
		},
		"a wave of an upgrade": {
			status("{type: Ready, status: Unknown}, {type: Reconciling, status: 'True', message: waits}, {type: ControlPlaneReady, status: 'True', observedGeneration: 2}, {type: Upgrading, status: 'True', observedGeneration: 2, message: wave 2 of 3}"),
			"Healthy", "wave 2 of 3",
		},
		"an upgrade replaces the control plane": {
			status("{type: Ready, status: Unknown}, {type: Reconciling, status: 'True', message: waits}, {type: ControlPlaneReady, status: Unknown, observedGeneration: 2}, {type: Upgrading, status: 'True', observedGeneration: 2}"),
			"Progressing", "waits",
		},
		"the conditions of an earlier upgrade": {
			status("{type: Ready, status: Unknown}, {type: Reconciling, status: 'True', message: waits}, {type: ControlPlaneReady, status: 'True', observedGeneration: 1}, {type: Upgrading, status: 'True', observedGeneration: 2}"),
			"Progressing", "waits",
		},
		"an upgrade with a pod that fails": {
			status("{type: Ready, status: 'False', message: a pod crashes}, {type: ControlPlaneReady, status: 'True', observedGeneration: 2}, {type: Upgrading, status: 'True', observedGeneration: 2}"),
			"Degraded", "a pod crashes",
		},
		"paused":   {status("{type: Ready, status: 'True'}, {type: Paused, status: 'True', message: spec.paused is true}"), "Suspended", "spec.paused is true"},
		"planned":  {status("{type: Ready, status: Unknown, reason: Planned}, {type: Planned, status: 'True', message: 12 objects}"), "Suspended", "12 objects"},
		"deleting": {deleted(""), "Progressing", "is being deleted"},
		"removal goes on": {
			deleted("{type: Ready, status: Unknown}, {type: Removed, status: Unknown, message: waits for 3 sidecars}"), "Progressing", "waits for 3 sidecars",
		},
		"removal fails": {deleted("{type: Removed, status: 'False', message: a webhook rejects it}"), "Degraded", "a webhook rejects it"},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate(t, tt.object)
			if got["status"] != tt.status || got["message"] != tt.message {
				t.Errorf("%v %q, want %s %q", got["status"], got["message"], tt.status, tt.message)
			}
		})
	}
}

func status(conditions string) string {
	return "status: {observedGeneration: 2, conditions: [" + conditions + "]}"
}

func deleted(conditions string) string {
	return "metadata: {generation: 3, deletionTimestamp: '2026-01-01T00:00:00Z'}\n" + status(conditions)
}

// evaluate runs the script with an object. Without metadata, its generation is 2.
func evaluate(t *testing.T, text string) map[string]string {
	t.Helper()
	object := map[string]any{"metadata": map[string]any{"generation": 2.0}}
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(Health); err != nil {
		t.Fatal(err)
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %v", state.Get(-1))
	}
	got := map[string]string{}
	result.ForEach(func(key, value lua.LValue) { got[key.String()] = value.String() })
	return got
}

// value converts decoded JSON.
func value(state *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	case []any:
		table := state.NewTable()
		for _, element := range v {
			table.Append(value(state, element))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, element := range v {
			table.RawSetString(key, value(state, element))
		}
		return table
	}
	return lua.LNil
}
