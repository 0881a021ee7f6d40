from __future__ import annotations

import pytest
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.gemini import FIELDS

from calibrant.base.errors import ProviderError
from calibrant.providers.catalog import embedder
from calibrant.types.call import EmbeddingCall


def test_a_model_that_makes_one_vector_of_all_is_sent_one_text() -> None:
    made = embedder(provider("gcp_vertex_gemini", **FIELDS["gcp_vertex_gemini"], model_name="gemini-embedding-2"))
    with pytest.raises(ProviderError, match="takes one text in `input`, not 2"):
        made.encode_embedding(EmbeddingCall(("a", "b")))


def test_token_ids_are_refused() -> None:
    with pytest.raises(ProviderError, match="no token ids in `input`"):
        embedder(provider("google_ai_studio_gemini")).encode_embedding(EmbeddingCall(((1, 2),)))
