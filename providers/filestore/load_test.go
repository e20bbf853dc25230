package filestore_test

import (
	"testing"

	"github.com/voipbin/dialrouter/providers/filestore"
)

func TestExample(t *testing.T) {
	t.Parallel()
	c, problems := filestore.Load("../../config/example/providers.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(c.Providers) != 2 || len(c.Routes) != 3 {
		t.Errorf("%+v", c)
	}
}
