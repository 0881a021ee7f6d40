ALTER TABLE inferences DELETE WHERE id IN ('01a2246c-ad40-7006-93ac-892a10dc6aee', '01a2246d-0000-7009-9a3a-831700cca06b', 'it\'s \\no id') AND at >= 0 AND at <= 1795907452 SETTINGS mutations_sync = 2;

ALTER TABLE inference_data DELETE WHERE id IN ('01a2246c-ad40-7006-93ac-892a10dc6aee', '01a2246d-0000-7009-9a3a-831700cca06b', 'it\'s \\no id') AND at >= 0 AND at <= 1795907452 SETTINGS mutations_sync = 2;

ALTER TABLE model_inferences DELETE WHERE inference_id IN ('01a2246c-ad40-7006-93ac-892a10dc6aee', '01a2246d-0000-7009-9a3a-831700cca06b', 'it\'s \\no id') AND at >= 0 AND at <= 1795907452 SETTINGS mutations_sync = 2;

ALTER TABLE feedback DELETE WHERE target_id IN ('01a2246c-ad40-7006-93ac-892a10dc6aee', '01a2246d-0000-7009-9a3a-831700cca06b', 'it\'s \\no id') SETTINGS mutations_sync = 2;

ALTER TABLE quarantine UPDATE frame = '' WHERE (id, version) IN ((7, 1)) SETTINGS mutations_sync = 2;

ALTER TABLE quarantine UPDATE frame = '' WHERE (id, version) IN ((7, 1), (9007199254740992, 2)) SETTINGS mutations_sync = 2;
