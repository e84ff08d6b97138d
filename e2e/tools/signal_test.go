package main

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestSignalProgram(t *testing.T) {
	proc := t.TempDir()
	for pid, name := range map[string]string{"1": "pause", "7": "envoy", "8": "envoy", "9": "envoys", "self": "envoy"} {
		if err := os.MkdirAll(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	kill := func(pid int, _ syscall.Signal) error {
		got = append(got, pid)
		return nil
	}
	if err := signalProgram(proc, "envoy", syscall.SIGSTOP, kill); err != nil {
		t.Fatal(err)
	}
	if want := []int{7, 8}; !slices.Equal(got, want) {
		t.Errorf("processes %v got the signal, want %v", got, want)
	}
	if err := signalProgram(proc, "nginx", syscall.SIGSTOP, kill); err == nil {
		t.Error("a program that does not run is no error")
	}
}
