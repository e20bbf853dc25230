package e2e

import (
	"strings"
	"testing"
)

// TestMetricsOfACall checks what a call leaves behind: counters, timings, and one line in the log.
func TestMetricsOfACall(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	n.expectMetric(t, 1, "dialrouter_calls_in_progress")
	b.answer(t, b.expect(t, request("INVITE")), 503)
	got := c.expect(t, request("INVITE"))
	c.answer(t, got, 180)
	a.expect(t, status(180))
	c.answer(t, got, 200)
	rep := a.expect(t, status(200))
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	c.expect(t, request("ACK"))
	call.hangUp(t, c)

	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "answered")
	n.expectMetric(t, 1, "dialrouter_calls_total")
	n.expectMetric(t, 0, "dialrouter_calls_in_progress")
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b")
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "c")
	n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b")
	n.expectMetric(t, 1, "dialrouter_setup_seconds", "provider", "c")
	n.expectMetric(t, 1, "dialrouter_answer_seconds", "provider", "c")
	n.expectMetric(t, 0, "dialrouter_setup_seconds", "provider", "b")
	n.expectMetric(t, 1, "dialrouter_catalog_revision_info")
	for _, direction := range []string{"in", "out"} {
		if n.metric(t, "dialrouter_messages_total", "direction", direction) == 0 {
			t.Errorf("no message counted with direction %q", direction)
		}
	}
	eventually(t, "a log line for the call", func() bool { return len(logLines(n, inv.get("Call-ID"))) > 0 })
	lines := logLines(n, inv.get("Call-ID"))
	if len(lines) != 1 {
		t.Errorf("the call made %d log lines, want one:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, want := range []string{"call_id=", "outcome=answered"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("no %s in the call's log line: %s", want, lines[0])
		}
	}
}

// logLines returns the lines of the log that hold a word.
func logLines(n *node, word string) []string {
	var lines []string
	for line := range strings.SplitSeq(n.log.String(), "\n") {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestMetricLabels checks that no label holds what a caller can choose.
func TestMetricLabels(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, req := range []*draft{
		a.request("METHODOFMYOWN", "+15559999999"), a.invite("+15559999999"), a.request("OPTIONS", "chosen"),
	} {
		a.send(t, req)
		got := b.expect(t, anything().of(req.get("Call-ID")))
		b.respond(t, got, b.reply(got, 499))
		a.expect(t, final().of(req.get("Call-ID")))
	}
	n.eachLabel(t, func(metric, name, value string) {
		for _, chosen := range []string{"METHODOFMYOWN", "15559999999", "chosen", "call", "499"} {
			if strings.Contains(strings.ToLower(value), strings.ToLower(chosen)) {
				t.Errorf("%s has %s=%q", metric, name, value)
			}
		}
	})
}

// eachLabel visits the labels of all samples there are.
func (n *node) eachLabel(t *testing.T, visit func(metric, name, value string)) {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, sample := range family.GetMetric() {
			for _, label := range sample.GetLabel() {
				visit(family.GetName(), label.GetName(), label.GetValue())
			}
		}
	}
}

// TestMetricsOfRemovedProvider has a provider leave the catalog while it has a call: what becomes of that call leaves no
// label behind, which nobody would ever take back.
func TestMetricsOfRemovedProvider(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	of, _ := a.place(t)
	got := b.expect(t, request("INVITE").of(of))
	n.writeFile(t, "providers.yaml", catalog(trunk("c", c, "priority: 2")))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.answer(t, got, 503)
	c.turnDown(t, of, 486)
	a.expect(t, status(486).of(of))
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "c", "cause", "busy")
	n.eachLabel(t, func(metric, name, value string) {
		if name == "provider" && value == "b" {
			t.Errorf("%s still tells of b", metric)
		}
	})
}
