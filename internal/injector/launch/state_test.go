package launch

import (
	"testing"
)

func TestState_ServingSurvives(t *testing.T) {
	s := state{t.TempDir()}
	if r, err := s.serving(); err != nil || r != (record{}) {
		t.Fatalf("a new directory has the record %+v, %v", r, err)
	}
	want := record{slot: "envoy", image: Image{Build: "ab", HotRestart: "11.104"}, epoch: 7, restart: 1, ready: true}
	if err := s.setServing(want); err != nil {
		t.Fatal(err)
	}
	if r, err := s.serving(); err != nil || r != want {
		t.Errorf("the record is %+v, %v, want %+v", r, err, want)
	}
	if err := s.write(servingFile, "envoy ab"); err != nil {
		t.Fatal(err)
	}
	if r, err := s.serving(); err != nil || r != (record{}) {
		t.Errorf("a damaged record is read as %+v, %v", r, err)
	}
}

// TestState_ClaimsOnce lets two slots claim the role from the same record.
func TestState_ClaimsOnce(t *testing.T) {
	s := state{t.TempDir()}
	for i, next := range []record{{slot: "a", image: Image{"1", "1"}}, {slot: "b", image: Image{"1", "1"}}} {
		claimed, err := s.claim(record{}, next)
		if err != nil || claimed != (i == 0) {
			t.Errorf("claim %d: %t, %v", i, claimed, err)
		}
	}
}

func TestState_EpochsGrow(t *testing.T) {
	s := state{t.TempDir()}
	for want := 1; want < 4; want++ {
		if got, err := s.nextEpoch(first); err != nil || got != want {
			t.Errorf("epoch %d, %v, want %d", got, err, want)
		}
	}
}

func TestState_PresentWhileLocked(t *testing.T) {
	s := state{t.TempDir()}
	if s.present("envoy") {
		t.Error("a slot without a lock is present")
	}
	unlock, err := s.lock("envoy")
	if err != nil {
		t.Fatal(err)
	}
	if !s.present("envoy") {
		t.Error("a slot with a lock is absent")
	}
	unlock()
	if s.present("envoy") {
		t.Error("a slot that ended is present")
	}
}
