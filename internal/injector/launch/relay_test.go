package launch

import (
	"encoding/binary"
	"net"
	"testing"
	"time"
)

func request(kind byte) []byte {
	body := []byte{1<<3 | 2, 2, kind<<3 | 2, 0}
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(body))), body...)
}

// TestRelay_AnswersForParent checks what a relay passes on, and what it answers itself, also when the serving Envoy has died.
func TestRelay_AnswersForParent(t *testing.T) {
	s := state{t.TempDir()}
	serving := record{slot: first, epoch: 4, restart: 1, ready: true}
	const epoch = 5
	drained := 0
	r, err := newRelay(s, serving, epoch, func() error { drained++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	child, err := listenDatagrams(s.hotSocket("child", epoch, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	to := &net.UnixAddr{Net: "unixgram", Name: s.hotSocket("parent", epoch, 0)}
	ask := func(kind byte) []byte {
		t.Helper()
		if _, err := child.WriteTo(request(kind), to); err != nil {
			t.Fatal(err)
		}
		if kind == drainListeners || kind > drainListeners {
			return nil
		}
		if err := child.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, messageSize)
		n, err := child.Read(buffer)
		if err != nil {
			t.Fatalf("request %d: %v", kind, err)
		}
		if length := binary.BigEndian.Uint64(buffer); int(length) != n-lengthSize {
			t.Errorf("the answer to request %d has %d bytes and says %d", kind, n-lengthSize, length)
		}
		return buffer[:n]
	}
	// Nobody is the parent.
	if answer := ask(passListenSocket); answer[lengthSize] != 2<<3|2 {
		t.Errorf("the answer to a request for a socket is %x", answer)
	}
	ask(shutdownAdmin)
	ask(exportStats)
	const terminate = 5
	ask(terminate)
	ask(drainListeners)
	ask(exportStats)
	if err := <-r.result; drained != 0 || err == nil {
		t.Errorf("an Envoy whose parent does not pass its sockets takes over: %v", err)
	}
}
